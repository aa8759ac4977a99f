"""Files of a recording: opened packed or not, made durable, and what it means when they fail."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingFailed

REVIEWS = "reviews.jsonl"
PACKED = ".zst"
"""What a packed file's name ends with."""
_BUFFER = 1 << 16

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your disk quota is used up: free some space",
    errno.EROFS: "the disk is read-only: make it writable or set SII_HOME to another place",
    errno.EACCES: "it may not be written: correct its rights or set SII_HOME to another place",
    errno.EPERM: "it may not be written: correct its rights or set SII_HOME to another place",
    errno.EIO: "the disk reports an error: check it, and set SII_HOME to a place on another one",
    errno.EFBIG: "the file has reached the largest size allowed here (ulimit -f)",
}


def failure(path: Path, error: OSError) -> RecordingFailed:
    """Say in a sentence why something could not be kept, with the remedy."""
    why = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return RecordingFailed(f"{path} cannot be written: {why}.")


def packed_path(path: Path) -> Path:
    """Return the name of a file's packed form."""
    return path.with_name(path.name + PACKED)


def kept_path(path: Path) -> Path | None:
    """Return the file, or its packed form; none when there is neither.

    Raises `OSError` where that cannot be seen.
    """
    for one in (path, packed_path(path)):
        with suppress(FileNotFoundError, NotADirectoryError):
            one.stat()
            return one
    return None


def open_kept(path: Path) -> BinaryIO:
    """Open a file, packed or not, to read from any place.

    Raises `FileNotFoundError`, `RecordingDamaged`.
    """
    for _ in range(2):  # twice: it may be packed in the moment between the two attempts
        with suppress(FileNotFoundError, NotADirectoryError):
            return open(path, "rb", buffering=_BUFFER)
        with suppress(FileNotFoundError, NotADirectoryError):
            return _open_packed(packed_path(path))
    raise FileNotFoundError(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_packed(path: Path) -> BinaryIO:
    path.stat()
    from recordings.zstd import open_compressed  # slow to import, seldom needed

    return open_compressed(path)
