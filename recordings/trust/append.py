"""Appends a line to a file of a home that several processes write."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from recordings.storage.files import failure
from recordings.storage.opening import open_file


def append_line(home: Path, name: str, line: Mapping[str, object]) -> None:
    """Append a line, on disk when this returns. Raises `RecordingFailed`."""
    try:
        fd = open_file(home, name, flags=os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, orjson.dumps(line) + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise failure(home / name, error) from error
