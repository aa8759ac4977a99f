"""Documents as text: which files are documents, and reading them inside the sandbox.

The programs that read them are in `sandbox/runner/documents`, their libraries in the image.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

from sandbox.client.launch import MOUNTED
from sandbox.protocol import Sandbox
from tools.base import ToolError
from tools.output import PAGE, show

Kind = Literal["pdf", "docx", "xlsx", "ipynb", "csv", "parquet", "sqlite"]
_PAGES = re.compile(r"[0-9]{1,7}(-[0-9]{0,7})?")
SECONDS = 30.0
"""For reading one document."""
_SUFFIXES: dict[str, Kind] = {
    **{f".{kind}": kind for kind in get_args(Kind)},
    ".docm": "docx",
    ".xlsm": "xlsx",
    ".tsv": "csv",
    ".parq": "parquet",
    ".db": "sqlite",
    ".sqlite3": "sqlite",
}
_TYPES: dict[str, Kind] = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/x-ipynb+json": "ipynb",
}
"""Media types that say more than the first bytes do."""
_ZIP = b"PK\x03\x04"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The container of encrypted office documents, too (MS-OFFCRYPTO)."""
_PROGRAM = (
    f"import sys; sys.path.insert(0, {posixpath.dirname(MOUNTED)!r}); "
    "from runner.documents.main import main; main()"
)
_ANSWER = 2 << 20
"""Bytes: the text as JSON, with room for its escapes."""
_FORMATS: dict[Kind, str] = {
    "pdf": "a PDF",
    "docx": "a Word document",
    "xlsx": "a workbook",
    "ipynb": "a notebook",
    "csv": "a table",
    "parquet": "a Parquet file",
    "sqlite": "an SQLite database",
}
_IMAGES = {"pyarrow": "research has it"}
"""Which images have a package that not all of sii's have."""


@dataclass(frozen=True, slots=True)
class DocumentText:
    """What is shown of a document."""

    text: str
    notes: tuple[str, ...]


def named_like_document(name: str) -> bool:
    """Tell whether a file's name ends as that of a document does."""
    return _suffix(name) is not None


def kind_of(name: str, head: bytes, media_type: str = "") -> Kind | None:
    """Return what kind of document a file is by its first bytes, or `None` when it is not one.

    The name, or the type that a server gives, decides only between what begins alike.
    """
    named = _TYPES.get(media_type) or _suffix(name)
    if head.startswith(b"%PDF-") or (named == "pdf" and b"%PDF-" in head[:1024]):
        return "pdf"
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((_ZIP, _OLD_OFFICE)):
        return named if named in ("docx", "xlsx") else None
    if named == "ipynb":
        return "ipynb" if head.lstrip()[:1] == b"{" else None
    return "csv" if named == "csv" and (b"\0" not in head or head[:1] in b"\xff\xfe") else None


async def read_document(
    sandbox: Sandbox,
    path: str,
    kind: Kind,
    *,
    pages: str = "",
    offset: int | None = None,
    limit: int | None = None,
    room: int = PAGE,
) -> DocumentText:
    """Read a document in the sandbox, in a process with limits of its own.

    `pages` are those of a PDF, the sheets of a workbook, the tables of a database; `offset` and
    `limit` count rows of a table and lines of any other text. Raises `ToolError`.
    """
    if pages and not _PAGES.fullmatch(pages):
        raise ToolError("bad_pages", f"pages is a number or two, as 3, 3-7 or 3-: not {pages:.40}.")
    asked = {"kind": kind, "path": path, "pages": pages or None, "offset": offset, "limit": limit}
    argv = ["python3", "-I", "-B", "-c", _PROGRAM, json.dumps(asked | {"room": room})]
    try:
        done = await sandbox.run(argv, timeout=SECONDS, cwd="/", max_output=_ANSWER)
    except TimeoutError:
        raise _too_much(kind) from None
    if done.exit_code != 0:
        if done.exit_code < 0 or done.exit_code > 128 or b"MemoryError" in done.stderr:
            raise _too_much(kind)
        words = show(done.stderr[-300:]).strip().rpartition("\n")[2]
        raise ToolError("unreadable", f"{_title(kind)} could not be read here: {words}")
    answer = _parsed(done.stdout)
    if answer is None:
        raise _too_much(kind)
    if answer.get("error"):
        raise _refusal(kind, str(answer["error"])[:50], str(answer.get("message"))[:500])
    lines, notes = _texts(answer.get("lines")), _texts(answer.get("notes"))
    return DocumentText(_shown("\n".join(lines)), tuple(_shown(note) for note in notes[:20]))


def _suffix(name: str) -> Kind | None:
    return _SUFFIXES.get(posixpath.splitext(name)[1].lower())


def _title(kind: Kind) -> str:
    name = _FORMATS[kind]
    return name[0].upper() + name[1:]


def _parsed(output: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(output)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _shown(text: str) -> str:
    return show(text.encode("utf-8", "replace"))


def _too_much(kind: Kind) -> ToolError:
    return ToolError(
        "too_much",
        f"Reading this as {_FORMATS[kind]} takes more time or memory than is allowed; nothing is "
        "shown. Use bash or python on parts of it.",
    )


def _refusal(kind: Kind, error: str, message: str) -> ToolError:
    if error != "missing":
        return ToolError(error, _shown(message))
    package = _shown(message)
    images = _IMAGES.get(package, "base has it")
    return ToolError(
        "no_reader",
        f"Reading {_FORMATS[kind]} needs the Python package {package}, which this sandbox does not "
        f"have (of sii's images {images}). Where the network allows it, pip can install it.",
    )
