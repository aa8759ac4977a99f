"""Copies a session's files into a new copy of its workspace, except those that a check relies on.

Runs inside the check's sandbox, where no link leads to the host: standard library only, for the
image's own Python (3.9 or newer). Arguments: the session's workspace, the one to fill, the most
bytes that may be copied, patterns. A file with several names is copied once, and holes stay holes:
on the disk the copy takes what the session's files take.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

UNREADABLE = 65
"""Exit code when the session left what cannot be copied: closed, too large, or nested too deep."""
_LEAST = 4096
"""Bytes that every entry counts for at least."""
_CHUNK = 1 << 20


def is_kept(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a pattern names a path or a folder above it; `**` stands for any folders."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return is_kept(path, pattern[1:]) or (bool(path) and is_kept(path[1:], pattern))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and is_kept(path[1:], pattern[1:])


class ResultFiles:
    """Two folders, and the paths that stay as they are in the second."""

    def __init__(self, source: str, target: str, most: int, patterns: Sequence[str]) -> None:
        self._source = source
        self._target = target
        self._left = self._most = most
        self._copied: dict[tuple[int, int], str] = {}
        """Of a file with several names, where its copy is."""
        self._patterns = [
            [part for part in pattern.split("/") if part not in {"", "."}] for pattern in patterns
        ]
        self._links: list[str] = []
        """Links that were copied."""

    def copy(self) -> None:
        """Make the second folder like the first, except for the paths that stay.

        Links into the first folder, which stays mounted, are left out: they would lead to files
        that are not copied.
        """
        self._clear(())
        self._copy(())
        source = os.path.realpath(self._source)
        leading = [link for link in self._links if _is_on_the_way(os.path.realpath(link), source)]
        for link in leading:
            os.unlink(link)

    def _kept(self, path: tuple[str, ...]) -> bool:
        return any(is_kept(path, pattern) for pattern in self._patterns)

    def _clear(self, folder: tuple[str, ...]) -> bool:
        """Remove what does not stay; tell whether nothing is left."""
        empty = True
        for path, mode in _entries(self._target, folder):
            place = os.path.join(self._target, *path)
            if self._kept(path):
                empty = False
            elif not stat.S_ISDIR(mode):
                os.unlink(place)
            elif self._clear(path):
                os.rmdir(place)
            else:
                empty = False
        return empty

    def _copy(self, folder: tuple[str, ...]) -> None:
        for path, mode in _entries(self._source, folder):
            source = os.path.join(self._source, *path)
            target = os.path.join(self._target, *path)
            if self._kept(path):
                continue
            self._count(os.lstat(source))
            if stat.S_ISDIR(mode):
                if not os.path.islink(target):
                    os.makedirs(target, exist_ok=True)
                    with suppress(
                        PermissionError
                    ):  # closed by the session: the check sees it empty
                        self._copy(path)
                    shutil.copystat(source, target)
            elif not os.path.lexists(target) and (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                with suppress(PermissionError):
                    if stat.S_ISLNK(mode):
                        shutil.copy2(source, target, follow_symlinks=False)
                        self._links.append(target)
                    else:
                        self._copy_file(source, target)

    def _count(self, status: os.stat_result) -> None:
        if (status.st_dev, status.st_ino) not in self._copied:
            self._left -= max(status.st_blocks * 512, _LEAST)
        if self._left < 0:
            raise OSError(errno.EFBIG, f"its files take more than {self._most:,} bytes")

    def _copy_file(self, source: str, target: str) -> None:
        status = os.lstat(source)
        key = status.st_dev, status.st_ino
        if key in self._copied:
            os.link(self._copied[key], target)
            return
        with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:
            for start, end in _data(old.fileno(), status.st_size):
                for at in range(start, end, _CHUNK):
                    _write(new.fileno(), os.pread(old.fileno(), min(_CHUNK, end - at), at), at)
            new.truncate(status.st_size)
        shutil.copystat(source, target)
        if status.st_nlink > 1:
            self._copied[key] = target


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where a file holds data, without its holes."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def _write(fd: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(fd, data, at)
        data, at = data[written:], at + written


def _is_on_the_way(place: str, folder: str) -> bool:
    """Tell whether a place is a folder, in it, or above it."""
    return os.path.commonpath((place, folder)) in (place, folder)


def _entries(root: str, folder: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    with os.scandir(os.path.join(root, *folder)) as entries:
        found = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
    for name, mode in found:
        yield (*folder, name), mode


def main() -> None:
    """Copy as the arguments say. Exits with `UNREADABLE` if the session is the cause."""
    try:
        ResultFiles(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]).copy()
    except (OSError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EIO, errno.EDQUOT}:
            raise
        sys.stderr.write(f"{str(error)[:200]}\n")
        sys.exit(UNREADABLE)


if __name__ == "__main__":
    main()
