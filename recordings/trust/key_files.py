"""Files of a home that hold a secret of 32 bytes: made once, and readable by the user alone."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from recordings.errors import RecordingError
from recordings.storage.files import failure, sync_folder

_BYTES = 32


class HomeKeyUnusable(RecordingError):
    """A key of the home cannot be used: not a regular file, not the user's, or open to others."""


def find_secret(path: Path) -> bytes | None:
    """Return the secret in a file; None when there is none yet. Raises `HomeKeyUnusable`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HomeKeyUnusable(f"{path} cannot be read: {error.strerror}.") from error
    try:
        _check(path, os.fstat(fd))
        secret = os.read(fd, _BYTES + 1)
    finally:
        os.close(fd)
    if len(secret) != _BYTES:
        raise HomeKeyUnusable(
            f"{path} is no key of {_BYTES} bytes: put it back from a copy, or remove it, and "
            "what was made with it counts as foreign."
        )
    return secret


def make_secret(path: Path) -> bytes:
    """Return the secret in a file, made when there is none.

    Two programs that make it at the same moment get the same one.
    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    found = find_secret(path)
    if found is None:
        _make(path)
        found = find_secret(path)
    if found is None:
        raise HomeKeyUnusable(f"{path} was removed while it was being made: try again.")
    return found


def _check(path: Path, status: os.stat_result) -> None:
    """Raise `HomeKeyUnusable` unless it is a file that only the user can read."""
    if not stat.S_ISREG(status.st_mode):
        raise HomeKeyUnusable(f"{path} is no regular file: remove it, and a key is made.")
    if status.st_uid != os.geteuid():
        raise HomeKeyUnusable(
            f"{path} belongs to another user: use a home of your own (set SII_HOME)."
        )
    if status.st_mode & 0o077:
        raise HomeKeyUnusable(f"Others can read {path}: say `chmod 600 {path}`.")


def _make(path: Path) -> None:
    """Write a secret under a name of its own, then link it to its place, which happens whole."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, secrets.token_bytes(_BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        with suppress(FileExistsError):  # another program was faster: its key counts
            os.link(draft, path, follow_symlinks=False)
        os.unlink(draft)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise failure(path, error) from error
