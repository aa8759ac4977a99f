"""Joints of the loop: the exception that ends a round, and who watches rounds and steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recordings.events import RoundStatus


class RoundOver(Exception):
    """The round ends here, with this status and, unless it was answered, a reason."""

    def __init__(self, status: RoundStatus, reason: str = "") -> None:
        super().__init__(reason)
        self.status: RoundStatus = status
        self.reason = reason


class RoundObserver(Protocol):
    """Told by the loop where it stands; what it does then runs beside the model's calls."""

    def round_begins(self, step: int) -> None:
        """A round begins after `step` steps."""

    async def settled(self) -> None:
        """Return when a step's calls may run, or the round may end."""

    def calls_ended(self, step: int, names: Sequence[str]) -> None:
        """All calls of a step, to the tools of these names, have ended or were stopped."""


class _NoObserver:
    def round_begins(self, step: int) -> None:
        pass

    async def settled(self) -> None:
        pass

    def calls_ended(self, step: int, names: Sequence[str]) -> None:
        pass


UNOBSERVED: RoundObserver = _NoObserver()
"""Nobody watches."""


class ContextOverflow(RoundOver):
    """The server says that the prompt does not fit the model's context."""

    def __init__(self, reason: str) -> None:
        super().__init__("limit", reason)
