"""Holds the disk limit where the file system has no quotas.

The watch looks how full the file systems are, which costs nothing, and the sooner again the less
room is left. Others write to them as well, so only growth beyond the limit has the files counted
that were written here; everything here is stopped meanwhile, and ended when it was too much.
What no count can see (a file that lost its name and is only mapped, or lies in a socket) is freed
when its holders end: before the machine's disk is full, everything here is ended.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

from .loop import EventLoop
from .processes import SandboxProcesses

_EVERY = 1.0
_SOONEST = 0.008
"""Seconds between looks at most, and at least: sooner ones use up the runner's turns in a crowd."""
_FASTEST = 16 << 30
"""Bytes a second that nothing here writes faster than."""
_URGENT = 4 << 20
"""Bytes between two looks of which it is too fast to wait until shells have stopped."""
_UNSTOPPED = 16 << 20
"""Bytes that held files may grow by after all has been stopped."""
_TIDY = 16 << 20
"""Bytes that others may write at least while commands tidy up."""
_LOOK_AT_HELD = 0.01
"""Seconds between looks at the files that are held, at least."""
_BLOCK = 512
"""Bytes of one of `st_blocks`, whatever the file system's own block is (stat(2))."""
_FILE = 4096
"""Bytes that every file counts for at least: a disk can run out of inodes, too."""
_NEARLY_FULL = 50
"""A disk is nearly full when less than one part in so many is free."""
_RESERVE = 2 << 30
"""Bytes of which a larger disk is never called nearly full."""


class DiskWatch:
    """Calls `measure` when the disks grew by more than `limit`; if the sandbox did it, `on_full`.

    `on_nearly_full` is called when they grew and the machine is about to run out of disk.
    """

    def __init__(
        self,
        loop: EventLoop,
        paths: list[str],
        limit: int,
        processes: SandboxProcesses,
        measure: Callable[[Callable[[int], None]], None],
        on_full: Callable[[], None],
        on_nearly_full: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._processes = processes
        self._measure = measure
        self._on_full = on_full
        self._on_nearly_full = on_nearly_full
        self._paths = _one_of_each(paths)
        self._last = self._lowest = self._used()
        self._grown = 0
        self._look_in_time(limit)

    def _used(self) -> int:
        return sum(
            (status.f_blocks - status.f_bfree) * status.f_frsize
            + (status.f_files - status.f_ffree) * _FILE
            for status in _sizes(self._paths)
        )

    def _look(self) -> None:
        used = self._used()
        # What others free meanwhile must not hide what is written here: only growth counts.
        growth = max(0, used - self._last)
        self._grown += growth
        self._last, self._lowest = used, min(self._lowest, used)
        if used - self._lowest > self._limit and any(map(is_nearly_full, _sizes(self._paths))):
            self._on_nearly_full()
            self._grown, self._lowest = 0, used
            self._loop.call_later(_EVERY, self._look)
        elif self._grown > self._limit:
            self._processes.stop(lambda: growth + self._used() - used > _URGENT)
            self._measure(self._judge)
        else:
            self._look_in_time(self._limit - self._grown)

    def _look_in_time(self, room: int) -> None:
        """Look again before the room can be full."""
        self._loop.call_later(min(_EVERY, max(_SOONEST, room / _FASTEST)), self._look)

    def _judge(self, written: int) -> None:
        if written > self._limit:
            self._on_full()
            # What was written until all had ended is not written by commands that come now.
            self._last = self._used()
            # Commands that tidy up may run; growing further by a sixteenth is stopped again.
            written = self._limit - max(self._limit // 16, _TIDY)
        self._processes.resume()
        self._grown = written
        self._look_in_time(self._limit - written)


def _one_of_each(paths: list[str]) -> list[str]:
    """Leave out paths of a file system that another path is on, also below an overlay."""
    found: dict[tuple[int, ...], str] = {}
    for path in {os.stat(path).st_dev: path for path in paths}.values():
        status = os.statvfs(path)
        size = status.f_frsize, status.f_blocks, status.f_bfree, status.f_files, status.f_ffree
        found.setdefault(size, path)
    return list(found.values())


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
    of the runner count too; a directory that it cannot read counts as if it hid the rest. So does a
    file that grows while every process is stopped: one is in the middle of a huge write, which
    only its end stops.
    """
    devices = {os.stat(root).st_dev for root in roots}
    open_files = _OpenFiles(devices)
    seen: set[tuple[int, int]] = set()
    total = 0
    with suppress(PermissionError):
        for status in chain(open_files.files(), _walk(roots, begin)):
            if open_files.grow():
                return limit + 1
            key = status.st_dev, status.st_ino
            if status.st_ctime < begin or key in seen:
                continue
            seen.add(key)
            total += max(status.st_blocks * _BLOCK, _FILE)
            if total > limit:
                return total
        return total
    return limit + 1


class _OpenFiles:
    """The files that processes hold open, on some devices or without a name."""

    def __init__(self, devices: set[int]) -> None:
        self._devices = devices
        self._first = self._size()
        self._next = time.monotonic() + _LOOK_AT_HELD

    def grow(self) -> bool:
        """Tell whether they grew by more than a little since we began; looks from time to time."""
        now = time.monotonic()
        if now < self._next:
            return False
        size = self._size()
        self._next = time.monotonic() + max(_LOOK_AT_HELD, 2 * (time.monotonic() - now))
        return size - self._first > _UNSTOPPED

    def _size(self) -> int:
        files = {(one.st_dev, one.st_ino): one.st_blocks for one in self.files()}
        return sum(files.values()) * _BLOCK

    def files(self) -> Iterator[os.stat_result]:
        """Yield the status of each, as often as it is held."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with suppress(OSError):
                        status = os.stat(f"/proc/{pid}/fd/{fd}")
                        if stat.S_ISREG(status.st_mode) and (
                            status.st_nlink == 0 or status.st_dev in self._devices
                        ):
                            yield status


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
