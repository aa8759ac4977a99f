"""What a running batch reports: sessions as they begin, go on and end."""

from __future__ import annotations

from typing import Protocol

from sii_cli.agent.event_channel import Item
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.rounds import AttemptResult


class BatchListener(Protocol):
    """Receives what happens in a batch."""

    tokens: int
    """Generated so far in this run."""

    def started(self, attempt: Attempt) -> None:
        """A session begins."""

    def item(self, attempt: Attempt, item: Item) -> None:
        """Something happens in a session."""

    def ended(self, attempt: Attempt, result: AttemptResult) -> None:
        """A session came to an outcome."""

    def failed(self, attempt: Attempt, why: str, *, given_up: bool) -> None:
        """A session failed through no fault of its own; it is run again unless given up."""

    def waits(self, why: str) -> None:
        """No session is started for now; an empty reason: sessions are started again."""

    def stops(self, why: str) -> None:
        """No more sessions are started."""
