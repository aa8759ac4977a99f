"""What controls a round from outside of the loop: the exception that ends it, and its observer."""

from __future__ import annotations

from typing import Protocol

from recordings.events import RoundStatus


class RoundOver(Exception):
    """Raised to end a round, with its status and, unless it was answered, a reason."""

    def __init__(self, status: RoundStatus, reason: str = "") -> None:
        super().__init__(reason)
        self.status: RoundStatus = status
        self.reason = reason


class RoundSuspended(Exception):
    """Raised to leave a round open between two steps: a resumed session continues it."""


class RoundObserver(Protocol):
    """Notified by the loop of where a round is; its own work runs beside the model calls."""

    def round_begins(self, step: int) -> None:
        """A round begins after `step` steps."""

    async def wait_until_safe(self) -> None:
        """Wait until a step's calls may run, or the round may end."""

    def calls_ended(self, step: int, *, may_change: bool) -> None:
        """All calls of a step have ended or were stopped; some may have changed the workspace."""


class _NoObserver:
    def round_begins(self, step: int) -> None:
        pass

    async def wait_until_safe(self) -> None:
        pass

    def calls_ended(self, step: int, *, may_change: bool) -> None:
        pass


UNOBSERVED: RoundObserver = _NoObserver()
"""An observer that does nothing."""


class ContextOverflow(RoundOver):
    """Raised when the prompt does not fit the model's context, as the server says."""

    def __init__(self, reason: str) -> None:
        super().__init__("limit", reason)
