"""Recordings of sound lines with nonsense in them: each costs its own line.

No command ends in a fault of sii, and what is beside such a recording is there as before.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.storage.lines import seal
from recordings.storage.log import LOG, read_lines
from tests.sii_cli.commands.test_hostile_files import _commands, _run
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

DEEP = b"[" * 900 + b"]" * 900
NONSENSE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 62, (1 << 63) + 5, 1 << 63, 1e308, -1e308, 0.5),
    *("", "x", "\x1b[31m", "a\x00b", "\ud800", "../../etc/passwd", "/dev/zero"),
    *([], {}, [None], {"": {}}, [[1]], "deep"),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        if (*path, key) not in (("sum",), ("prev",)):
            yield (*path, key)
            yield from _places(inner, (*path, key))


def _changed(event: dict[str, Any], chance: random.Random) -> str:
    """Put nonsense into an event; return what was put where."""
    path = chance.choice(list(_places(event)))
    at: Any = event
    for key in path[:-1]:
        at = at[key]
    value = chance.choice(NONSENSE)
    if value is NONSENSE[2] and isinstance(at, dict) and chance.random() < 0.3:
        del at[path[-1]]
        return f"without {path}"
    at[path[-1]] = value
    return f"{path} = {value!r}"


def _encode(event: dict[str, Any]) -> bytes:
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").replace(b'"deep"', DEEP)


def make_nonsense(source: Path, folder: Path, chance: random.Random, places: int = 1) -> list[str]:
    """Write a recording like another with nonsense in it, its lines and its chain sound."""
    events = [orjson.loads(line.text) for line in read_lines(source)]
    told = []
    for _ in range(places):
        number = chance.randrange(len(events))
        told.append(f"{number} {events[number]['type']}: {_changed(events[number], chance)}")
    prev = ""
    folder.mkdir(mode=0o700)
    if (source / "blobs").exists():
        shutil.copytree(source / "blobs", folder / "blobs")
    with (folder / LOG).open("wb") as file:
        for event in events:
            event.pop("sum", None)
            event["prev"] = prev
            line, prev = seal(_encode(event)[:-1])
            file.write(line + b"\n")
    return told


@pytest.mark.parametrize(
    "seed",
    range(24),
)
def test_nonsense_in_one_recording_costs_the_others_nothing(shell: Shell, seed: int) -> None:
    chance = random.Random(seed)
    whole = shell.recorded(words=8)
    source = shell.recorded(words=8)
    bad = source.with_name("20991231-235959-aaaaaa")
    told = make_nonsense(source, bad, chance, places=chance.choice((1, 1, 3)))
    shutil.rmtree(source)
    exported = shell.workspace / "out"
    for command in _commands(shell, bad.name):
        try:
            out = _run(shell, *command)
        except AssertionError as error:
            raise AssertionError(f"{told}: {error}") from None
        if command[0] == "list":
            assert whole.name in out
            assert bad.name in out
        if command[0] == "verify":
            assert f"{whole.name}  whole" in out
        if command[0] == "export":
            assert exported.exists(), (told, shell.sii(*command).stderr)
            rows = (exported / "provenance.jsonl").read_text()
            assert whole.name in rows, told
