"""Decides whether one more session may start: room, servers that answer, and their load."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sii_cli.model.endpoints import Load

CHECK_EVERY = 2.0
"""Seconds between checks of the servers' load."""
FAILURES_IN_A_ROW = 5
"""Sessions that failed through no fault of their own before the installation is suspected."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds until one session is tried again while the installation is suspected."""
FULL = "full"
CACHE_HIGH = 0.9
"""Share of the KV cache in use above which servers begin to preempt requests."""


class Servers(Protocol):
    """The model servers, as far as admission needs them."""

    async def current_load(self) -> Load | None:
        """Return the load of all of them together, or None when no server answers."""
        ...


class Admission:
    """Holds new sessions back; running sessions are never touched."""

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
        """Sessions that the servers' load lets run."""
        self._checked = -CHECK_EVERY
        self._answered = True
        self._preemptions: float | None = None
        self._failures = 0
        """In a row."""
        self._ever_succeeded = False
        self._paused_until = 0.0
        self._last_failure = ""

    @property
    def never_worked(self) -> bool:
        """Sessions fail one after another though the server answers, and none ever succeeded."""
        return self._failures >= FAILURES_IN_A_ROW and not self._ever_succeeded

    @property
    def server_answers(self) -> bool:
        """A server answered when they were last checked."""
        return self._answered

    async def refusal(self, running: int) -> str | None:
        """Return why no session may start now, or None when one may."""
        if running >= self._concurrency:
            return FULL
        await self._check(running)
        if not self._answered:
            return "waiting for the server"
        if self._failures >= FAILURES_IN_A_ROW and (running or self._clock() < self._paused_until):
            return f"{self._failures} sessions failed in a row: {self._last_failure}"
        if running >= int(self._allowed):
            return "waiting for room on the server"
        return None

    def succeeded(self) -> None:
        """Note that a session came to an outcome."""
        self._failures, self._ever_succeeded = 0, True

    async def failed(self, why: str) -> bool:
        """Note that a session failed; return whether that counts: not while no server answers."""
        self._checked = min(self._checked, self._clock() - CHECK_EVERY / 2)
        await self._check(0)
        if not self._answered:
            return False
        self._failures += 1
        self._last_failure = why.rstrip(".")
        if self._failures >= FAILURES_IN_A_ROW:
            doublings = self._failures - FAILURES_IN_A_ROW
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**doublings)
            self._paused_until = self._clock() + pause
        return True

    async def _check(self, running: int) -> None:
        """Ask the servers for their load, unless that was done a moment ago."""
        now = self._clock()
        if now - self._checked < CHECK_EVERY / 2 or (
            self._answered and now - self._checked < CHECK_EVERY
        ):
            return
        self._checked = now
        load = await self._servers.current_load()
        self._answered = load is not None
        if load is not None:
            self._adapt(load, running)

    def _adapt(self, load: Load, running: int) -> None:
        """Let fewer sessions run when the servers preempt requests, and slowly more when not.

        As in TCP: fewer by a factor, more by a step, so that the servers stay full and are not
        flooded.
        """
        before, self._preemptions = self._preemptions, load.preemptions
        preempts = before is not None and load.preemptions > before
        if preempts:
            self._allowed = max(1.0, min(self._allowed, running) * 0.8)
        elif load.waiting or load.cache > CACHE_HIGH:
            self._allowed = max(1.0, min(self._allowed, running or 1.0))
        else:
            self._allowed = min(float(self._concurrency), self._allowed + max(1, running * 0.1))
