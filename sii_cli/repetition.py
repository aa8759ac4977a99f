"""Notices a model that makes the same calls with the same results again and again."""

from __future__ import annotations

from collections.abc import Sequence

from sii_cli.flow import RoundOver

REMIND_AT = 3
STOP_AT = 5

REMINDER = (
    "You have made the same tool calls with the same results {count} times in a row. Repeating "
    "them will not change anything: try another way, or say what keeps you from going on."
)


class Repetition:
    """Counts how often the last step has come in a row within a round."""

    def __init__(self) -> None:
        self._count = 0
        self._last: Sequence[tuple[str, str, str]] | None = None

    def step(self, calls: Sequence[tuple[str, str, str]]) -> str | None:
        """Take a step's (tool, arguments, observation) triples; return a reminder when it is due.

        Raises `RoundOver` when the reminder did not help.
        """
        self._count = self._count + 1 if calls == self._last else 1
        self._last = calls
        if self._count >= STOP_AT:
            raise RoundOver("loop", f"the same calls with the same results {self._count} times")
        return REMINDER.format(count=self._count) if self._count == REMIND_AT else None
