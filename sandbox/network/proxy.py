"""The proxy of one sandbox: listens on a unix socket that the sandbox mounts, serves, is bounded.

Clients are inside the sandbox, and may be hostile: connections beyond the limit are left with
the kernel and cost nothing here, and no client can hold more than its own connection.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from pathlib import Path

from sandbox.network.allowed_hosts import AllowedHosts
from sandbox.network.exchange import DEFAULT_TIMEOUTS, Exchange, Timeouts
from sandbox.network.folder import SocketFolder
from sandbox.network.log import NetworkLog
from sandbox.own_folder import remove_leftover_folders

CONNECTIONS = 64
"""Requests served at the same time; others wait."""
REQUESTS_PER_SECOND = 50
"""In the long run: each is an event in the recording, and a loop inside must not fill the disk."""
BURST = 2000
"""Requests that may come at once before that holds."""
_BACKLOG = 512
_WANTED_FILES = 65536
_RETRY = 0.1


class AllowListProxy:
    """Serves one sandbox until it is closed."""

    def __init__(
        self,
        allowed: AllowedHosts,
        log: NetworkLog,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        connections: int = CONNECTIONS,
    ) -> None:
        """Listen at once. Raises `OSError`."""
        self._allowed = allowed
        self._log = log
        self._timeouts = timeouts
        self._slots = asyncio.Semaphore(connections)
        self._rate = RateLimiter(REQUESTS_PER_SECOND, BURST)
        self._exchanges: set[asyncio.Task[None]] = set()
        self._folder = SocketFolder()
        try:
            self._socket = _listen(self._folder.socket)
        except BaseException:
            self._folder.close()
            raise
        self._accepting = asyncio.create_task(self._accept())

    @classmethod
    async def open(
        cls, allowed: AllowedHosts, log: NetworkLog, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> AllowListProxy:
        """Remove the folders of killed processes, and listen. Raises `OSError`."""
        _allow_many_files()
        await asyncio.to_thread(remove_leftover_folders)
        return cls(allowed, log, timeouts=timeouts)

    @property
    def folder(self) -> Path:
        """What the sandbox mounts."""
        return self._folder.shared

    async def close(self) -> None:
        """End every connection, and remove the socket. May be called twice."""
        tasks = [self._accepting, *self._exchanges]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()
        self._folder.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            await asyncio.sleep(self._rate.delay())
            try:
                client, _ = await loop.sock_accept(self._socket)
            except OSError:  # out of descriptors, for now
                self._slots.release()
                await asyncio.sleep(_RETRY)
                continue
            task = asyncio.create_task(self._serve(client))
            self._exchanges.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._exchanges.discard(task)
        self._slots.release()

    async def _serve(self, client: socket.socket) -> None:
        exchange = Exchange(client, self._allowed, self._timeouts, self._log)
        try:
            with client:
                await exchange.run()
        finally:
            use = exchange.trace.result()
            if use is not None:
                self._log.add(use)


class RateLimiter:
    """Allows a burst of requests, and then `rate` requests a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._step = 1 / rate
        self._ahead = burst / rate
        self._due = 0.0

    def delay(self) -> float:
        """Count one request; return the seconds to wait before it."""
        now = time.monotonic()
        self._due = max(self._due, now - self._ahead) + self._step
        return max(0.0, self._due - now)


def _listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(str(path))
        path.chmod(0o666)  # whatever uid commands have; the folder above is closed to others
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _allow_many_files() -> None:
    """Raise the soft limit of descriptors: many sandboxes have many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
