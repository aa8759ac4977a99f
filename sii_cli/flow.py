"""How a round ends: the named exceptions that steer the loop."""

from __future__ import annotations

from recordings.events import RoundStatus


class RoundOver(Exception):
    """The round ends here, with this status and, unless it was answered, a reason."""

    def __init__(self, status: RoundStatus, reason: str = "") -> None:
        super().__init__(reason)
        self.status: RoundStatus = status
        self.reason = reason
