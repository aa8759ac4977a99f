"""Decides whether one more session may start: room, servers that answer, and their load."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sii_cli.model.endpoints import Load

LOOK_EVERY = 2.0
"""Seconds between looks at the servers."""
DOUBT = 5
"""Sessions that failed in a row, by no fault of theirs, after which something is broken here."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds until one session is tried again while something is broken."""
FULL = "full"
CACHE_HIGH = 0.9
"""Share of the KV cache in use above which servers begin to throw sessions out of it."""


class Servers(Protocol):
    """The model servers, as the gate looks at them."""

    async def look(self) -> Load | None:
        """Return their load, all together; none when no one answers."""
        ...


class Gate:
    """Holds new sessions back; those that run are never touched."""

    def __init__(
        self,
        concurrency: int,
        servers: Servers,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._concurrency = concurrency
        self._servers = servers
        self._clock = clock
        self._allowed = float(concurrency)
        """Sessions that the servers' pressure lets run."""
        self._looked = -LOOK_EVERY
        self._answered = True
        self._preemptions: float | None = None
        self._falls = 0
        """In a row."""
        self._ever_went_well = False
        self._closed_until = 0.0
        self._last_fall = ""

    @property
    def hopeless(self) -> bool:
        """Sessions fail one after another, though the server answers, and none ever worked."""
        return self._falls >= DOUBT and not self._ever_went_well

    @property
    def served(self) -> bool:
        """A server answered when they were last looked at."""
        return self._answered

    async def closed(self, running: int) -> str | None:
        """Say why no session may start now; none when one may."""
        if running >= self._concurrency:
            return FULL
        await self._look(running)
        if not self._answered:
            return "waiting for the server"
        if self._falls >= DOUBT and (running or self._clock() < self._closed_until):
            return f"{self._falls} sessions failed in a row: {self._last_fall}"
        if running >= int(self._allowed):
            return "waiting for room on the server"
        return None

    def went_well(self) -> None:
        """A session came to an outcome."""
        self._falls, self._ever_went_well = 0, True

    async def failed(self, why: str) -> bool:
        """A session fell; say whether that counts against it: not while no server answers."""
        self._looked = min(self._looked, self._clock() - LOOK_EVERY / 2)
        await self._look(0)
        if not self._answered:
            return False
        self._falls += 1
        self._last_fall = why.rstrip(".")
        if self._falls >= DOUBT:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self._falls - DOUBT))
            self._closed_until = self._clock() + pause
        return True

    async def _look(self, running: int) -> None:
        now = self._clock()
        if now - self._looked < LOOK_EVERY / 2 or (
            self._answered and now - self._looked < LOOK_EVERY
        ):
            return
        self._looked = now
        load = await self._servers.look()
        self._answered = load is not None
        if load is not None:
            self._weigh(load, running)

    def _weigh(self, load: Load, running: int) -> None:
        """Let fewer run when the servers thrash, and one more at a time when they do not.

        As in TCP: less by a factor, more by a step, so that the servers stay full, not flooded.
        """
        before, self._preemptions = self._preemptions, load.preemptions
        thrashes = before is not None and load.preemptions > before
        if thrashes:
            self._allowed = max(1.0, min(self._allowed, running) * 0.8)
        elif load.waiting or load.cache > CACHE_HIGH:
            self._allowed = max(1.0, min(self._allowed, running or 1.0))
        else:
            self._allowed = min(float(self._concurrency), self._allowed + max(1, running * 0.1))
