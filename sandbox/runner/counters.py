"""What the kernel counts when a limit of the whole sandbox is hit (cgroup v1 and v2).

Reading the counters inside is immediate; the engine's own `State.OOMKilled` stays false when a
child is killed.
"""

from __future__ import annotations

import os
from contextlib import suppress

_OOM_FILES = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
)
_PIDS_FILES = ("/sys/fs/cgroup/pids.events", "/sys/fs/cgroup/pids/pids.events")

Counts = tuple[bytes, bytes, dict[str, int], int]
"""What was read of the kernel's two files, our own counts, and whether /tmp is full."""


class Counter:
    """One named number in a kernel file; 0 where the file is missing."""

    def __init__(self, paths: tuple[str, ...], key: bytes) -> None:
        self._key = key
        self._fd: int | None = None
        for path in paths:
            with suppress(OSError):
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                break

    def read(self) -> bytes:
        """Return the file as it is now."""
        if self._fd is None:
            return b""
        try:
            return os.pread(self._fd, 4096, 0)
        except OSError:
            return b""

    def count(self, text: bytes) -> int:
        """Return the number in what was read."""
        with suppress(ValueError):
            for line in text.splitlines():
                name, _, value = line.partition(b" ")
                if name == self._key:
                    return int(value)
        return 0


class Counters:
    """How often a limit of the whole sandbox was hit."""

    def __init__(self, tmp: str) -> None:
        self._oom = Counter(_OOM_FILES, b"oom_kill")
        self._pids = Counter(_PIDS_FILES, b"max")
        self._tmp = tmp
        self.hit = {"disk": 0, "machine_disk": 0}
        """How often everything was ended because too much was written, here or by everyone."""

    def read(self) -> Counts:
        """Return the counters now, to be compared with later; called by every command."""
        return self._oom.read(), self._pids.read(), dict(self.hit), self._tmp_full()

    def hit_since(self, before: Counts) -> list[str]:
        """Return the limits that were hit since `before` was read."""
        now = self.read()
        if now == before:
            return []
        then = self._by_limit(before)
        return [name for name, count in self._by_limit(now).items() if count > then[name]]

    def _by_limit(self, counts: Counts) -> dict[str, int]:
        oom, pids, hit, tmp = counts
        return {
            "memory": self._oom.count(oom),
            "pids": self._pids.count(pids),
            **hit,
            "tmp": tmp,
        }

    def _tmp_full(self) -> int:
        with suppress(OSError):
            status = os.statvfs(self._tmp)
            return int(status.f_blocks > 0 and status.f_bavail == 0)
        return 0
