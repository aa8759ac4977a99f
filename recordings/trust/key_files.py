"""Key files of a home: 32 secret bytes, created once, readable by the user only."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from recordings.errors import RecordingError
from recordings.storage.files import failure, sync_folder

_BYTES = 32


class HomeKeyUnusable(RecordingError):
    """Raised when a key file is not a regular file, not the user's, or readable by others."""


def find_secret(path: Path) -> bytes | None:
    """Return the secret in a file, or `None` without the file. Raises `HomeKeyUnusable`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise _not_regular(path) from None
        raise HomeKeyUnusable(f"{path} cannot be read: {error.strerror}.") from error
    try:
        _check(path, os.fstat(fd))
        secret = os.read(fd, _BYTES + 1)
    finally:
        os.close(fd)
    if len(secret) != _BYTES:
        raise HomeKeyUnusable(
            f"{path} is not a key of {_BYTES} bytes: restore it from a copy, or remove it; then "
            "what it proved counts as foreign."
        )
    return secret


def make_secret(path: Path) -> bytes:
    """Return the secret in a file; create the file if there is none.

    Two programs that create it at the same time get the same secret.
    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    found = find_secret(path)
    if found is None:
        _make(path)
        found = find_secret(path)
    if found is None:
        raise HomeKeyUnusable(f"{path} was removed while it was created: try again.")
    return found


def _check(path: Path, status: os.stat_result) -> None:
    """Raise `HomeKeyUnusable` unless it is a file that only the user can read."""
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path)
    if status.st_uid != os.geteuid():
        raise HomeKeyUnusable(
            f"{path} belongs to another user: use a home of your own (set SII_HOME)."
        )
    if status.st_mode & 0o077:
        raise HomeKeyUnusable(f"Other users can read {path}: run `chmod 600 {path}`.")


def _not_regular(path: Path) -> HomeKeyUnusable:
    return HomeKeyUnusable(f"{path} is not a regular file: remove it, and a key is created.")


def _make(path: Path) -> None:
    """Write a secret to a temporary file, then link it to its path, which is atomic."""
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
