"""Holds the disk limit where the file system has no quotas.

The watch looks every second at how full the file systems are, which costs nothing. Others write
to them as well, so only growth beyond the limit has the files counted that were written here.
What no count can see (a file that lost its name and is only mapped, or lies in a socket) is freed
when its holders end: before the machine's disk is full, everything here is ended.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

from .loop import Loop

_EVERY = 1.0
_SOON = 0.1
"""Seconds between looks: when little was written, and from half the limit on."""
_BLOCK = 512
"""Bytes of one of `st_blocks`, whatever the file system's own block is (stat(2))."""
_FILE = 4096
"""Bytes that every file counts for at least: a disk can run out of inodes, too."""
_NEARLY_FULL = 50
"""A disk is nearly full when less than one part in so many is free."""
_RESERVE = 2 << 30
"""Bytes of which a larger disk is never called nearly full."""


class DiskWatch:
    """Calls `measure` when the disks grew by more than `limit`, and `on_full` when that was us.

    `on_nearly_full` is called when they grew and the machine is about to run out of disk.
    """

    def __init__(
        self,
        loop: Loop,
        paths: list[str],
        limit: int,
        measure: Callable[[Callable[[int], None]], None],
        on_full: Callable[[], None],
        on_nearly_full: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._measure = measure
        self._on_full = on_full
        self._on_nearly_full = on_nearly_full
        self._paths = list({os.stat(path).st_dev: path for path in paths}.values())
        self._begin = self._first = self._used()
        loop.call_later(_EVERY, self._look)

    def _used(self) -> int:
        return sum(
            (status.f_blocks - status.f_bfree) * status.f_frsize
            + (status.f_files - status.f_ffree) * _FILE
            for status in _sizes(self._paths)
        )

    def _look(self) -> None:
        used = self._used()
        # From the lowest point on: what others free meanwhile must not hide what is written here.
        self._begin, self._first = min(self._begin, used), min(self._first, used)
        grown = used - self._begin
        if used - self._first > self._limit and any(map(is_nearly_full, _sizes(self._paths))):
            self._on_nearly_full()
            self._begin = self._first = used
            self._loop.call_later(_EVERY, self._look)
        elif grown > self._limit:
            self._measure(lambda written: self._judge(used, written))
        else:
            self._loop.call_later(_EVERY if grown * 2 < self._limit else _SOON, self._look)

    def _judge(self, used: int, written: int) -> None:
        if written > self._limit:
            self._on_full()
            # Commands that tidy up may run; growing further by a sixteenth is stopped again.
            written = self._limit - self._limit // 16
        self._begin = used - written
        self._loop.call_later(_EVERY, self._look)


def _sizes(paths: list[str]) -> Iterator[os.statvfs_result]:
    for path in paths:
        with suppress(OSError):
            yield os.statvfs(path)


def is_nearly_full(status: os.statvfs_result) -> bool:
    """Tell whether a file system has next to no bytes or no inodes left."""
    size = status.f_blocks * status.f_frsize
    free = status.f_bavail * status.f_frsize
    few_inodes = status.f_files > 0 and status.f_ffree * _NEARLY_FULL < status.f_files
    return free < min(_RESERVE, size // _NEARLY_FULL) or few_inodes


def written_since(roots: list[str], begin: float, limit: int) -> int:
    """Return the bytes on disk of what changed below `roots` since `begin`.

    Stops counting above `limit`. Files that have no name any more but are held open by a process
    of ours count too; a directory that was closed to us counts as if it hid the rest.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    with suppress(PermissionError):
        for status in chain(_nameless(), _walk(roots, begin)):
            key = status.st_dev, status.st_ino
            if status.st_ctime < begin or key in seen:
                continue
            seen.add(key)
            total += max(status.st_blocks * _BLOCK, _FILE)
            if total > limit:
                return total
        return total
    return limit + 1


def _walk(roots: list[str], begin: float) -> Iterator[os.stat_result]:
    """Yield the status of everything below the roots, on their own file systems only.

    Raises `PermissionError` at a directory that was closed to us since `begin`.
    """
    for root in roots:
        device = os.stat(root).st_dev
        folders = [(root, 0.0)]
        while folders:
            folder, changed = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for status, path in _statuses_in(entries, device):
                        if stat.S_ISDIR(status.st_mode):
                            folders.append((path, status.st_ctime))
                        yield status
            except PermissionError:
                if changed >= begin:
                    raise
            except OSError:
                continue


def _statuses_in(
    entries: Iterator[os.DirEntry[str]], device: int
) -> Iterator[tuple[os.stat_result, str]]:
    for entry in entries:
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            if status.st_dev == device:
                yield status, entry.path


def _nameless() -> Iterator[os.stat_result]:
    """Yield the status of deleted files that processes hold open."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(f"/proc/{pid}/fd/{fd}")
                    if status.st_nlink == 0:
                        yield status
