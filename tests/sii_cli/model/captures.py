"""The captured answers of a real server, as fixtures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from sii_cli.model.assemble import Assembler
from sii_cli.model.http.sse import DONE, EventSplitter
from sii_cli.model.types import Completion, Delta

FOLDER = Path(__file__).parents[2] / "wire"
_NOTES = re.compile(rb"^# (lines|---|EXC) .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Capture:
    """One exchange."""

    name: str
    path: str
    request: Any
    status: int
    body: bytes
    notes: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def message(self) -> Any:
        """The message of an answer that was not streamed."""
        return self.json["choices"][0]["message"]

    @property
    def choice(self) -> Any:
        return self.json["choices"][0]


@cache
def capture(name: str) -> Capture:
    """The capture of that name, or whose name starts with that number."""
    file = FOLDER / f"{name}.txt"
    if not file.exists():
        (file,) = FOLDER.glob(f"{name}_*.txt")
    raw = file.read_bytes()
    asked, said = raw.split(b"HTTP ", 1)
    status, _, rest = said.partition(b"\n")
    notes = b"".join(match.group() for match in _NOTES.finditer(rest))
    if not rest.startswith(b"data:"):
        rest = rest.split(b"\n\n", 1)[1]
    path = re.search(rb"^(?:GET|POST) (\S+)", asked)
    sent = re.search(rb"^REQUEST (.+)$", asked, re.MULTILINE)
    return Capture(
        name=file.stem,
        path=path.group(1).decode() if path else "",
        request=_json_or_none(sent.group(1)) if sent else None,
        status=int(status),
        body=_NOTES.sub(b"", rest),
        notes=notes.decode(),
    )


def _json_or_none(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # meant to be bad, or shortened in the capture
        return None


def streamed(body: bytes, cuts: list[bytes] | None = None) -> tuple[list[Delta], Assembler]:
    """Feed a streamed body to the model layer, cut as given."""
    splitter, assembler = EventSplitter(), Assembler()
    deltas: list[Delta] = []
    for piece in [body] if cuts is None else cuts:
        for event in splitter.feed(piece):
            if event != DONE:
                deltas += assembler.add(orjson.loads(event))
    return deltas, assembler


def completion(assembler: Assembler) -> Completion:
    """The completion of a stream, without times."""
    return assembler.completion(attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=0)
