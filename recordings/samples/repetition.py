"""Finding steps that continue a repetition after the harness message about it."""

from __future__ import annotations

from collections import deque

from recordings.events import ModelResponse

LONGEST = 4
"""Steps of the longest repetition that the harness detects."""

_Calls = tuple[tuple[str, str], ...]


class RepeatedSteps:
    """The calls of a round's last steps, and those that are known to repeat."""

    def __init__(self) -> None:
        self._last: deque[_Calls] = deque(maxlen=2 * LONGEST)
        """The oldest first."""
        self._known: frozenset[_Calls] = frozenset()

    def continues(self, response: ModelResponse) -> bool:
        """Take a step; return whether it continues a repetition that the model was informed of."""
        calls = tuple((call.name, call.arguments) for call in response.calls)
        self._last.append(calls)
        if calls not in self._known:
            self._known = frozenset()
        return calls in self._known

    def reported(self) -> None:
        """The model was informed that its last steps repeat."""
        last = list(self._last)
        length = next((n for n in range(1, LONGEST + 1) if last[-n:] == last[-2 * n : -n]), 1)
        self._known = frozenset(last[-length:])
