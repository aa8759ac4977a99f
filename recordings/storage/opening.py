"""Opening what lies below a store, a home or a batch's folder: through directory handles, never
through a link, never waiting.

The root itself may be named through links: that is the word of its owner. What lies below it may
come from somebody else, so nothing there is read that is no regular file, and nothing is written,
replaced or removed that belongs to somebody else.
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
    """Raised when something else stands where a file or a directory of ours should be."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, os.fspath(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class OpenFolder:
    """A folder below a root, held by a descriptor. A context manager.

    What takes the place of its path later is neither read nor written to.
    """

    def __init__(self, root: Path, *names: str, make: bool = False) -> None:
        """Open the folder; `make` makes it, and the names of what it made are on the disk.

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
        """Let go. May be called twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def status(self, name: str) -> os.stat_result | None:
        """Return what stands under a name, a link as a link; None when nothing does."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        """Tell whether a regular file stands under a name."""
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode)

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open a regular file and return its descriptor; one to be written to must be ours.

        With `O_CREAT` it is made, readable by its owner alone.
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
        """Make a new file and return its descriptor. Raises `FileExistsError`, `OSError`."""
        return os.open(name, _NEW | _SAFE | flags, mode, dir_fd=self.fd)

    def rename(self, old: str, new: str) -> None:
        """Put a file in another's place, which must be a regular file of ours, or nothing.

        Raises `UnexpectedFile`, `OSError`.
        """
        status = self.status(new)
        if status is not None:
            self._check(new, status, os.O_WRONLY)
        os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Remove a regular file of ours; nothing when there is none.

        Raises `UnexpectedFile`, `OSError`.
        """
        status = self.status(name)
        if status is not None:
            self._check(name, status, os.O_WRONLY)
            os.unlink(name, dir_fd=self.fd)

    def sync(self) -> None:
        """Make the names in it durable. Raises `OSError`."""
        os.fsync(self.fd)

    def names(self) -> list[str]:
        """Return the names of what stands in it. Raises `OSError`."""
        return os.listdir(self.fd)

    def folders(self) -> Iterator[OpenFolder]:
        """Yield the folders in it, each open until the next; links are passed over."""
        for name in sorted(self.names()):
            status = self.status(name)
            if status is not None and stat.S_ISDIR(status.st_mode):
                with self.inner(name) as folder:
                    yield folder

    def inner(self, name: str, *, make: bool = False) -> OpenFolder:
        """Return a folder in it, which is the caller's to close. Raises as the constructor."""
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
        """Raise `UnexpectedFile` unless it is a regular file, and ours where it is written to."""
        if not stat.S_ISREG(status.st_mode):
            what = f"it is {kind_of(status)}, where a file should be"
            raise UnexpectedFile(self.path / name, what)
        if flags & os.O_ACCMODE != os.O_RDONLY and status.st_uid not in self._owners:
            what = f"it belongs to another user (uid {status.st_uid})"
            raise UnexpectedFile(self.path / name, what)


def kind_of(status: os.stat_result) -> str:
    """Say what something is: `a link`, `a named pipe`, …"""
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
    """Return the bytes of what the user names in a command: also a pipe, or what a link leads to.

    Raises `UnexpectedFile` when it has no end within `most` bytes, `OSError`.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UnexpectedFile(path, f"it is longer than {most:,} bytes")
    return data


def read_named(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that the user keeps, which may be a link of the user's.

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
