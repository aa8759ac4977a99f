"""Opening files below a store, a home or a batch's folder: through directory handles, never
through a link, without waiting.

The path of the root may have links: its owner chose it. What is below the root may be foreign, so
only regular files are read there, and files of other users are never written, replaced or removed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
_MODE = 0o600
_FOLDER_MODE = 0o700
_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class UnexpectedFile(OSError):
    """Raised when a path is not a regular file or a directory as expected, or not the user's."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, os.fspath(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class OpenFolder:
    """A folder below a root, open as a descriptor. A context manager.

    It stays the same folder, whatever is put at its path later.
    """

    def __init__(self, root: Path, *names: str, make: bool = False) -> None:
        """Open the folder; `make` creates it, durably.

        Raises `FileNotFoundError`, `NotADirectoryError`, `UnexpectedFile`, `OSError`.
        """
        self.path = root
        self.fd = os.open(root, _FOLDER)
        self._owners = {os.geteuid(), os.fstat(self.fd).st_uid}
        try:
            for name in names:
                self._enter(name, make)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a name, without following a link, or `None` if it does not exist."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        """Return whether a name is a regular file."""
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open a regular file and return its descriptor; to write, it must be the user's.

        `O_CREAT` creates it, readable by its owner only.
        Raises `FileNotFoundError`, `UnexpectedFile`, `OSError`.
        """
        status = self.status(name)
        if status is not None:
            self._check(name, status, flags)
        fd = os.open(name, flags | _SAFE, _MODE, dir_fd=self.fd)
        try:
            self._check(name, os.fstat(fd), flags)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def reader(self, name: str, buffering: int = -1) -> BinaryIO:
        """Open a regular file to read. Raises what `open` raises."""
        return open(self.open(name), "rb", buffering)

    def create(self, name: str, flags: int = 0, *, mode: int = _MODE) -> int:
        """Create a file and return its descriptor. Raises `FileExistsError`, `OSError`."""
        return os.open(name, _NEW | _SAFE | flags, mode, dir_fd=self.fd)

    def rename(self, old: str, new: str) -> None:
        """Rename a file; a file with the new name must be a regular file of the user.

        Raises `UnexpectedFile`, `OSError`.
        """
        status = self.status(new)
        if status is not None:
            self._check(new, status, os.O_WRONLY)
        os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Remove a regular file of the user, if it exists.

        Raises `UnexpectedFile`, `OSError`.
        """
        status = self.status(name)
        if status is not None:
            self._check(name, status, os.O_WRONLY)
            os.unlink(name, dir_fd=self.fd)

    def sync(self) -> None:
        """Sync the names in it to disk. Raises `OSError`."""
        os.fsync(self.fd)

    def names(self) -> list[str]:
        """Return the names in it. Raises `OSError`."""
        return os.listdir(self.fd)

    def folders(self) -> Iterator[OpenFolder]:
        """Yield the folders in it, each open until the next; links are skipped."""
        for name in sorted(self.names()):
            status = self.status(name)
            if status is not None and stat.S_ISDIR(status.st_mode):
                with self.inner(name) as folder:
                    yield folder

    def inner(self, name: str, *, make: bool = False) -> OpenFolder:
        """Return a folder in it, which the caller closes. Raises what the constructor raises."""
        inner = OpenFolder.__new__(OpenFolder)
        inner.path, inner.fd, inner._owners = self.path, os.dup(self.fd), self._owners
        try:
            inner._enter(name, make)
        except BaseException:
            inner.close()
            raise
        return inner

    def _enter(self, name: str, make: bool) -> None:
        if make:
            self._make(name)
        path = self.path / name
        try:
            inner = os.open(name, _FOLDER | _SAFE, dir_fd=self.fd)
        except OSError:
            status = self.status(name)
            if status is not None and stat.S_ISLNK(status.st_mode):
                raise UnexpectedFile(path, "it is a link, where a directory should be") from None
            raise
        os.close(self.fd)
        self.fd, self.path = inner, path

    def _make(self, name: str) -> None:
        try:
            os.mkdir(name, _FOLDER_MODE, dir_fd=self.fd)
        except FileExistsError:
            return
        self.sync()

    def _check(self, name: str, status: os.stat_result, flags: int) -> None:
        """Raise `UnexpectedFile` unless it is a regular file, and the user's if it is written."""
        if not stat.S_ISREG(status.st_mode):
            what = f"it is {kind_of(status)}, where a file should be"
            raise UnexpectedFile(self.path / name, what)
        if flags & os.O_ACCMODE != os.O_RDONLY and status.st_uid not in self._owners:
            what = f"it belongs to another user (uid {status.st_uid})"
            raise UnexpectedFile(self.path / name, what)


def kind_of(status: os.stat_result) -> str:
    """Return what kind of file it is: `a link`, `a named pipe`, …"""
    return next((word for is_kind, word in _KINDS if is_kind(status.st_mode)), "a device")


def open_file(root: Path, *names: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file below a root and return its descriptor.

    Raises `FileNotFoundError`, `NotADirectoryError`, `UnexpectedFile`, `OSError`.
    """
    *folders, name = names
    with OpenFolder(root, *folders) as folder:
        return folder.open(name, flags)


def read_file(root: Path, *names: str, most: int) -> bytes:
    """Return the bytes of a regular file below a root.

    Raises what `open_file` raises, and `UnexpectedFile` for one of more than `most` bytes.
    """
    with open(open_file(root, *names), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UnexpectedFile(root.joinpath(*names), f"it is longer than {most:,} bytes")
    return data


def read_given(path: Path, most: int) -> bytes:
    """Return the bytes of a file that the user names in a command: also a pipe, or through a link.

    Raises `UnexpectedFile` when it has more than `most` bytes, `OSError`.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UnexpectedFile(path, f"it is longer than {most:,} bytes")
    return data


def read_named(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of the user, also through a link.

    Raises `FileNotFoundError`, `UnexpectedFile`, `OSError`.
    """
    with open(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb"
    ) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnexpectedFile(path, f"it is {kind_of(status)}, where a file should be")
        data = file.read(most + 1)
    if len(data) > most:
        raise UnexpectedFile(path, f"it is longer than {most:,} bytes")
    return data
