"""What a file or a folder holds, without a store: the hash of its content, and a stamp of it.

The hash is that of the tree that a snapshot of the same content has. The stamp is made of sizes,
times and inodes alone: it is quick, and another one when anything was changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sandbox.snapshots.entries import (
    MAX_DEPTH,
    TreeEntry,
    encode_entry,
    encode_tree,
    kept_mode,
)
from sandbox.snapshots.errors import SnapshotError
from sandbox.snapshots.opening import open_directory, open_file, read_link
from sandbox.snapshots.reading import is_binary

_CHUNK = 1 << 20
_TYPE = 0o170000


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What a file or a folder holds."""

    sha256: str
    """Of its tree; that of a file is the tree of a folder with the file alone."""
    files: int
    size: int
    """Bytes of all files."""
    stamp: str


def content_of(path: Path) -> FolderContent:
    """Read all of a file or a folder; links in it are not followed.

    Raises `SnapshotError` when it changes meanwhile or is too deep, and `OSError`.
    """
    before = stamp_of(path)
    reader = _Reader()
    tree = reader.top(path)
    if stamp_of(path) != before:
        raise SnapshotError(f"{path} changed while it was read: wait until nothing writes to it.")
    return FolderContent(hashlib.sha256(tree).hexdigest(), reader.files, reader.size, before)


def stamp_of(path: Path) -> str:
    """Return the stamp of a file or a folder. Raises `OSError`, `SnapshotError`."""
    stamper = _Stamper()
    stamper.top(path)
    return stamper.hash.hexdigest()


class _Walk:
    """Visits all entries below a path through directory handles, in the order of their names."""

    def top(self, path: Path) -> bytes:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.stat(path.name or ".", dir_fd=parent, follow_symlinks=False)
            if status.st_mode & _TYPE != stat.S_IFDIR:
                line = self.entry(path.name, parent, path.name, status, 0)
                return encode_tree({path.name: line})
            return self._inside(path.name or ".", parent, "", 0)
        finally:
            os.close(parent)

    def _inside(self, name: str, parent: int, path: str, depth: int) -> bytes:
        """Return the tree of a directory. Raises `SnapshotError`, `OSError`."""
        if depth > MAX_DEPTH:
            raise SnapshotError(f"{path} is more than {MAX_DEPTH} directories deep.")
        fd = open_directory(name, parent)
        try:
            self.directory(path, os.fstat(fd))
            lines: dict[str, bytes] = {}
            for inner in sorted(os.listdir(fd), key=os.fsencode):
                status = os.stat(inner, dir_fd=fd, follow_symlinks=False)
                lines[inner] = self.entry(inner, fd, f"{path}/{inner}", status, depth)
            return encode_tree(lines)
        finally:
            os.close(fd)

    def directory(self, path: str, status: os.stat_result) -> None:
        """Visit a directory, before what is in it."""

    def entry(self, name: str, fd: int, path: str, status: os.stat_result, depth: int) -> bytes:
        """Visit an entry of an open directory; return its line of the tree."""
        raise NotImplementedError


class _Stamper(_Walk):
    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def directory(self, path: str, status: os.stat_result) -> None:
        self._add(path, status)

    def entry(self, name: str, fd: int, path: str, status: os.stat_result, depth: int) -> bytes:
        if status.st_mode & _TYPE == stat.S_IFDIR:
            self._inside(name, fd, path, depth + 1)
        else:
            self._add(path, status)
        return b""

    def _add(self, path: str, status: os.stat_result) -> None:
        seen = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        self.hash.update(f"{seen} {status.st_ino} ".encode() + os.fsencode(path) + b"\0")


class _Reader(_Walk):
    def __init__(self) -> None:
        self.files = self.size = 0

    def entry(self, name: str, fd: int, path: str, status: os.stat_result, depth: int) -> bytes:
        mode = kept_mode(status.st_mode)
        match status.st_mode & _TYPE:
            case stat.S_IFDIR:
                tree = self._inside(name, fd, path, depth + 1)
                sha256 = hashlib.sha256(tree).hexdigest()
                return encode_entry(TreeEntry(name, "directory", mode, sha256=sha256))
            case stat.S_IFREG:
                return encode_entry(self._file(name, fd, mode))
            case stat.S_IFLNK:
                return encode_entry(TreeEntry(name, "symlink", target=read_link(name, fd)))
            case _:
                raise SnapshotError(
                    f"{path} is not a file, a directory or a link: a data set cannot hold it."
                )

    def _file(self, name: str, parent: int, mode: int) -> TreeEntry:
        hashed, size, binary = hashlib.sha256(), 0, False
        with open(open_file(name, parent), "rb", 0) as file:
            while data := file.read(_CHUNK):
                binary = binary or (size == 0 and is_binary(data))
                hashed.update(data)
                size += len(data)
        self.files += 1
        self.size += size
        return TreeEntry(name, "file", mode, size, hashed.hexdigest(), binary)
