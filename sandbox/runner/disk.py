"""Holds the disk limit where the file system has no quotas.

The watch looks every second at how full the file systems are, which costs nothing. Others write
to them as well, so only growth beyond the limit has the files counted that were written here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress

from .loop import Loop

_EVERY = 1.0
_BLOCK = 512
"""Bytes of one of `st_blocks`, whatever the file system's own block is (stat(2))."""


class DiskWatch:
    """Calls `measure` when the disks grew by more than `limit`, and `on_full` when that was us."""

    def __init__(
        self,
        loop: Loop,
        paths: list[str],
        limit: int,
        measure: Callable[[Callable[[int], None]], None],
        on_full: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._measure = measure
        self._on_full = on_full
        self._paths = list({os.stat(path).st_dev: path for path in paths}.values())
        self._begin = self._used()
        loop.call_later(_EVERY, self._look)

    def _used(self) -> int:
        total = 0
        for path in self._paths:
            with suppress(OSError):
                status = os.statvfs(path)
                total += (status.f_blocks - status.f_bfree) * status.f_frsize
        return total

    def _look(self) -> None:
        used = self._used()
        if used - self._begin <= self._limit:
            self._loop.call_later(_EVERY, self._look)
            return
        self._measure(lambda written: self._judge(used, written))

    def _judge(self, used: int, written: int) -> None:
        if written > self._limit:
            self._on_full()
            # Commands that tidy up may run; growing further by a sixteenth is stopped again.
            written = self._limit - self._limit // 16
        self._begin = used - written
        self._loop.call_later(_EVERY, self._look)


def written_since(roots: list[str], begin: float) -> int:
    """Return the bytes on disk of the files below `roots` that changed since `begin`.

    Files that have no name any more but are held open by a process of ours count too.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    for status in (*_walk(roots), *_nameless()):
        key = status.st_dev, status.st_ino
        if status.st_ctime >= begin and stat.S_ISREG(status.st_mode) and key not in seen:
            seen.add(key)
            total += status.st_blocks * _BLOCK
    return total


def _walk(roots: list[str]) -> Iterator[os.stat_result]:
    """Yield the status of everything below the roots, on their own file systems only."""
    for root in roots:
        device = os.stat(root).st_dev
        folders = [root]
        while folders:
            with suppress(OSError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    with suppress(OSError):
                        status = entry.stat(follow_symlinks=False)
                        if status.st_dev != device:
                            continue
                        if stat.S_ISDIR(status.st_mode):
                            folders.append(entry.path)
                        yield status


def _nameless() -> Iterator[os.stat_result]:
    """Yield the status of deleted files that processes hold open."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(f"/proc/{pid}/fd/{fd}")
                    if status.st_nlink == 0:
                        yield status
