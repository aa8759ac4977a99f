"""Files of a recording: opened packed or not, synced, and their errors in words."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingDamaged, RecordingFailed
from recordings.storage.opening import OpenFolder, UnexpectedFile

REVIEWS = "reviews.jsonl"
PACKED = ".zst"
"""Suffix of a packed file's name."""
_BUFFER = 1 << 16

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your disk quota is used up: free some space",
    errno.EROFS: "the disk is read-only: make it writable or set SII_HOME to another place",
    errno.EACCES: "it may not be written: correct its permissions or set SII_HOME to another place",
    errno.EPERM: "it may not be written: correct its permissions or set SII_HOME to another place",
    errno.EIO: "the disk reports an error: check it, and set SII_HOME to a place on another one",
    errno.ENOLCK: "its file system has no locks: set SII_HOME to a place on a local disk, or "
    "mount it with locks (NFS: `local_lock=flock`)",
    errno.EFBIG: "the file has reached the largest size allowed here (ulimit -f)",
}


def failure(path: Path, error: OSError) -> RecordingFailed:
    """Return an error that says in one sentence why a file cannot be written, with the remedy."""
    if isinstance(error, UnexpectedFile):
        path = Path(error.filename)
    why = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return RecordingFailed(f"{path} cannot be written: {why}.")


def packed_path(path: Path) -> Path:
    """Return the name of a file's packed form."""
    return path.with_name(path.name + PACKED)


def stored_status(path: Path) -> os.stat_result | None:
    """Return the status of a file or of its packed form, or `None` when neither exists.

    Raises `OSError` where that cannot be read.
    """
    for one in (path, packed_path(path)):
        with suppress(FileNotFoundError, NotADirectoryError):
            return one.lstat()
    return None


def open_stored(folder: Path, *names: str) -> BinaryIO:
    """Open a file of a recording, packed or not, to read at any offset.

    Raises `FileNotFoundError`, `RecordingDamaged`, `OSError`.
    """
    *folders, name = names
    for _ in range(2):  # twice: it may be packed between the two attempts
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            OpenFolder(folder.parent, folder.name, *folders) as opened,
        ):
            try:
                with suppress(FileNotFoundError):
                    return opened.reader(name, _BUFFER)
                return _open_packed(opened, name + PACKED)
            except UnexpectedFile as error:
                raise RecordingDamaged(f"{error}.") from None
    raise FileNotFoundError(folder.joinpath(*names))


def replace_file(root: Path, name: str, data: bytes) -> None:
    """Replace a file atomically and durably, with the permissions that the umask leaves.

    An existing one must be a regular file of the user. Raises `RecordingFailed`.
    """
    temporary = f".{name}.new"
    try:
        with OpenFolder(root) as folder:
            folder.remove(temporary)  # left by a killed process
            with open(folder.create(temporary, mode=0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            folder.rename(temporary, name)
            folder.sync()
    except OSError as error:
        raise failure(root / name, error) from error


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_packed(opened: OpenFolder, name: str) -> BinaryIO:
    file = opened.reader(name)
    from recordings.storage.zstd import open_compressed  # slow to import, seldom needed

    return open_compressed(file, opened.path / name)
