"""Detects repetition: steps that repeat the same calls with the same observations."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sii_cli.agent.round_control import RoundOver

REMIND_AT = 3
STOP_AT = 5
LONGEST = 4
"""Steps of the longest sequence whose repetition is detected."""

REMINDER = (
    "You have made the same tool calls with the same results {count} times in a row. Repeating "
    "them will not change anything: try another way, or say what keeps you from going on."
)

_Step = Sequence[tuple[str, str, str]]


class Repetition:
    """Counts how often the last steps of a round have come in a row."""

    def __init__(self) -> None:
        self._last: deque[_Step] = deque(maxlen=LONGEST)
        """Steps, the newest first."""
        self._runs = [0] * LONGEST
        """For sequences of 1, 2, … steps: how many steps equal the one that long before."""

    def step(self, calls: _Step) -> str | None:
        """Count a step's (tool, arguments, observation) triples; return a reminder when it is due.

        Raises `RoundOver` when the repetition continues after it.
        """
        for place, before in enumerate(self._last):
            self._runs[place] = self._runs[place] + 1 if before == calls else 0
        self._last.appendleft(calls)
        for length, run in enumerate(self._runs, 1):
            if not run or run % length:
                continue
            count = run // length + 1
            if count >= STOP_AT:
                raise RoundOver("loop", f"the same calls with the same results {count} times")
            if count == REMIND_AT:
                return REMINDER.format(count=count)
        return None
