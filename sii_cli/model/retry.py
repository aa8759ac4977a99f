"""How long to wait before a request is sent again, and when the model call has failed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sii_cli.model.errors import ModelCallFailed

AWAY = ("connect", "dns", "timeout", "unavailable", "rate_limited")
"""Failures of a server that is not there, or not yet (a restart takes minutes), or too busy."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds."""

    first: float = 0.5
    """Before the second request; doubled for each one after."""
    longest: float = 30.0
    longest_asked: float = 120.0
    """The longest wait that a server can ask for (`Retry-After`)."""
    away: float = 600.0
    """How long to wait for a server that has answered before, when it is away or busy."""


DEFAULT_WAITS = Waits()


class Retries:
    """The requests of one model call. One to a server that is away is not counted, only timed."""

    def __init__(self, retries: int, waits: Waits, now: float) -> None:
        self._left = retries
        self._waits = waits
        self._patience = now + waits.away
        self._failures = 0

    def next(self, failure: ModelCallFailed, now: float, *, known: bool) -> float | None:
        """Return the seconds until the next request, or `None` when the model call is given up.

        `known`: the server has answered, perhaps to this very call.
        """
        if not failure.retry:
            return None
        self._failures += 1
        if failure.kind not in AWAY or not known or now >= self._patience:
            self._left -= 1
        return None if self._left < 0 else self._wait(failure.retry_after)

    def _wait(self, asked: float | None) -> float:
        doubled = self._waits.first * 2.0 ** min(self._failures - 1, 16)
        own = min(self._waits.longest, doubled) * random.uniform(0.5, 1.0)
        # What a server asks for is the minimum; one that asks for nothing still gets pauses.
        return own if asked is None else max(own, min(asked, self._waits.longest_asked))
