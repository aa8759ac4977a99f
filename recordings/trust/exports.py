"""The exports that a home has made, in `exports.jsonl`, so that a withdrawal can name them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from recordings.storage.files import failure
from recordings.storage.opening import open_file, read_file

EXPORTS = "exports.jsonl"
_LARGEST = 256 << 20
"""Most bytes of the file."""


@dataclass(frozen=True, slots=True)
class KnownExport:
    """An export, and the recordings that it has samples of."""

    folder: Path
    recordings: frozenset[str]

    @property
    def card(self) -> Path:
        """The data set's card."""
        return self.folder / "README.md"


def note_export(home: Path, folder: Path, recordings: list[str]) -> None:
    """Append an export, where there is such a home. Raises `RecordingFailed`."""
    if not home.is_dir():
        return
    line = {
        "v": 1,
        "folder": str(folder.absolute()),
        "recordings": sorted(recordings),
        "time": round(time.time(), 3),
    }
    try:
        fd = open_file(home, EXPORTS, flags=os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, orjson.dumps(line) + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise failure(home / EXPORTS, error) from error


def known_exports(home: Path) -> Iterator[KnownExport]:
    """Yield the exports, in the order in which they were made."""
    try:
        content = read_file(home, EXPORTS, most=_LARGEST)
    except OSError:
        return
    for text in content.splitlines():
        try:
            line = orjson.loads(text)
            yield KnownExport(Path(line["folder"]), frozenset(line["recordings"]))
        except (ValueError, LookupError, TypeError):
            continue  # a line that was not written whole
