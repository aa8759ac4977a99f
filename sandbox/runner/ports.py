"""Notices the ports that jobs listen on.

The kernel's count of sockets costs next to nothing to read and is read while jobs run. Only when
it has changed does a worker read the table of sockets, which takes long on a large machine, and
find the processes that hold those that listen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from .frames import Head
from .loop import EventLoop
from .processes import with_descendants

MOST = 16
"""Ports of one job that are reported."""
_EVERY = 1.0
_SHARE = 0.01
"""Of one processor's time that reading tables may take."""
_COUNTS = ("/proc/net/sockstat", "/proc/net/sockstat6")
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTENS = b"0A"
_TABLE = 256 << 10
"""Bytes of a table that are read: the sockets that listen stand first."""
_LINKS = 20_000
"""Descriptors that are looked at for one answer."""

Jobs = dict[int, int]
"""Pids by the numbers of the jobs that run."""
FindPorts = Callable[[Jobs, Callable[[Head], None]], None]
"""Has a worker answer `job_ports`, and calls with the answer; an empty one when that failed."""


class PortWatch:
    """Reports each port of each job once, while it runs."""

    def __init__(
        self,
        loop: EventLoop,
        jobs: Callable[[], Jobs],
        find: FindPorts,
        report: Callable[[int, int], None],
    ) -> None:
        """`report` is called with a job and a port."""
        self._loop = loop
        self._jobs = jobs
        self._find = find
        self._report = report
        self._reported: dict[int, list[int]] = {}
        self._counts = b""
        self._runs = False
        self._not_before = 0.0

    def begin(self) -> None:
        """Look from now on, until no job runs."""
        if not self._runs:
            self._runs, self._counts = True, b""
            self._loop.call_later(_EVERY, self._look)

    def _look(self) -> None:
        jobs = self._jobs()
        self._reported = {job: ports for job, ports in self._reported.items() if job in jobs}
        if not jobs:
            self._runs = False
            return
        if time.monotonic() >= self._not_before and (counts := _counts()) != self._counts:
            self._counts = counts
            self._find(jobs, self._found)  # looks again once it has answered
        else:
            self._loop.call_later(_EVERY, self._look)

    def _found(self, answer: Head) -> None:
        jobs = self._jobs()
        self._not_before = time.monotonic() + answer.get("seconds", 0.0) / _SHARE
        for job, port in answer.get("ports", ()):
            ports = self._reported.setdefault(job, [])
            if job in jobs and port not in ports and len(ports) < MOST:
                ports.append(port)
                self._report(job, port)
        self._loop.call_later(_EVERY, self._look)


def _counts() -> bytes:
    """Return how many sockets there are; the rest of these files changes without a new one."""
    found = []
    for path in _COUNTS:
        with suppress(OSError), open(path, "rb") as file:
            found += [line.split()[2] for line in file if line.startswith(b"TCP")]
    return b" ".join(found)


def job_ports(jobs: Jobs) -> Head:
    """Return the ports that processes of jobs listen on, and the seconds that it took."""
    begin = time.thread_time()
    listening = _listening()
    found = [
        (job, port)
        for job, pid in jobs.items()
        for port in sorted(_ports_of(with_descendants({pid}), listening))[: 2 * MOST]
    ]
    return {"ports": found, "seconds": time.thread_time() - begin}


def _listening() -> dict[str, int]:
    """Return the sockets that listen, as links to them read, and their ports."""
    found: dict[str, int] = {}
    for path in _TABLES:
        with suppress(OSError), open(path, "rb") as file:
            for line in file.read(_TABLE).splitlines()[1:]:
                fields = line.split()
                if len(fields) < 10 or fields[3] != _LISTENS:
                    break
                port = int(fields[1].rpartition(b":")[2], 16)
                found[f"socket:[{int(fields[9])}]"] = port
    return found


def _ports_of(pids: set[int], listening: dict[str, int]) -> set[int]:
    ports: set[int] = set()
    left = _LINKS if listening else 0
    for pid in pids:
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd")[:left]:
                left -= 1
                with suppress(OSError):
                    link = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if link in listening:
                        ports.add(listening[link])
    return ports
