"""Opens files of a workspace or a store: never through a link, never blocking."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | _SAFE
_FILE = os.O_RDONLY | os.O_NONBLOCK | _SAFE

GONE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV))
"""The entry was deleted, or replaced by something else, meanwhile."""
UNREADABLE = frozenset((errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EOVERFLOW))
FATAL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE))
"""Errors that every other entry would have, too."""
IN_USE = frozenset((errno.EAGAIN, errno.EBUSY, errno.ETXTBSY))
"""A lease on a file makes an opener wait, or fail with this when it does not wait."""

OWNER_ALL = 0o700


def open_directory(name: str, parent: int) -> int:
    """Open a directory inside another. Raises `OSError`."""
    return os.open(name, _DIRECTORY, dir_fd=parent)


def open_owned_directory(name: str, parent: int) -> int:
    """As `open_directory`, also when its mode forbids it to its owner. Raises `OSError`."""
    try:
        return open_directory(name, parent)
    except PermissionError:
        change_mode(name, parent, OWNER_ALL, stat.S_IFDIR)
        return open_directory(name, parent)


def open_file(name: str, parent: int) -> int:
    """Open what should be a regular file (the caller looks again). Raises `OSError`."""
    return os.open(name, _FILE, dir_fd=parent)


def open_kept(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file of a store; with `O_CREAT` it is made. Raises `OSError`."""
    fd = os.open(path, flags | os.O_NONBLOCK | _SAFE, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return fd


def make_folder(path: str | Path) -> None:
    """Make a folder of a store, if it is missing. Raises `OSError`, also where a link stands: what
    is put into it would be written somewhere else.
    """
    if os.path.islink(path):
        what = f"{os.fspath(path)} is a link, and nothing is written through it: remove the link"
        raise OSError(errno.ELOOP, what, os.fspath(path))
    os.makedirs(path, mode=OWNER_ALL, exist_ok=True)


def is_own_folder(path: str | Path) -> bool:
    """Whether a folder of a store is there; a link is not one, whatever it leads to."""
    return os.path.isdir(path) and not os.path.islink(path)


def read_link(name: str, parent: int) -> str:
    """Return where a symlink points. Raises `OSError`, `FileNotFoundError` when it is none."""
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
        raise


def open_workspace(path: str) -> int:
    """Open the workspace itself, which may be named through links. Raises `OSError`."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class HeldWorkspace:
    """A workspace: from its first opening on the same directory, as for the sandbox that has it.

    What takes the place of its path later, such as a link that another sandbox made above it,
    is neither read nor written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def open(self) -> int:
        """Return a new descriptor, which the caller closes. Raises `OSError`."""
        if self._fd < 0:
            self._fd = open_workspace(os.fspath(self.path))
        return open_directory(".", self._fd)

    def close(self) -> None:
        """Close the workspace. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def change_mode(name: str, parent: int, mode: int, wanted: int) -> None:
    """Set the mode of a file or directory also when it may not be read. Raises `OSError`.

    `wanted` is the type it must have (`stat.S_IFREG`, `stat.S_IFDIR`): nothing else is touched.
    """
    fd = os.open(name, os.O_PATH | _SAFE, dir_fd=parent)
    try:
        if os.fstat(fd).st_mode & 0o170000 != wanted:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        os.chmod(f"/proc/self/fd/{fd}", mode)  # a descriptor of O_PATH has no fchmod
    finally:
        os.close(fd)


@contextmanager
def writable(fd: int) -> Iterator[None]:
    """Let the owner change a directory for a while."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & OWNER_ALL == OWNER_ALL:
        yield
        return
    os.fchmod(fd, mode | OWNER_ALL)
    try:
        yield
    finally:
        os.fchmod(fd, mode)


@contextmanager
def left_if_impossible() -> Iterator[None]:
    """Continue after an entry that cannot be changed; a later check reports it."""
    try:
        yield
    except OSError as error:
        if error.errno in FATAL:
            raise


def temporary_name() -> str:
    """Return a name that nothing in a workspace has."""
    return f".sii-{secrets.token_hex(8)}"
