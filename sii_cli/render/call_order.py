"""The order in which calls that run at the same time are shown: each one with its observation."""

from __future__ import annotations

from recordings.events import (
    Event,
    LiveDelta,
    LiveOutput,
    ModelRequest,
    Observation,
    RoundEnd,
    SessionEnd,
    SessionResume,
    ToolCall,
    UserMessage,
)
from sii_cli.agent.event_channel import Item


class CallOrder:
    """Holds a call and its observation back until those of the calls before it were shown.

    Items that are in order already come out as they went in.
    """

    def __init__(self) -> None:
        self._open: str | None = None
        """The call that is shown and has no observation yet."""
        self._calls: list[tuple[str, Item]] = []
        """Calls that began while it ran, in their order."""
        self._observations: dict[str, Item] = {}

    def feed(self, item: Item) -> list[Item]:
        """Take an item; return those that are shown now."""
        if isinstance(item, LiveDelta | LiveOutput):
            return [item]
        match item.data:
            case ToolCall() as call:
                return self._call(call.call_id, item)
            case Observation() as observation:
                return self._observation(observation.call_id, item)
            case ModelRequest() | RoundEnd() | UserMessage() | SessionResume() | SessionEnd():
                return [*self.end(), item]
            case _:
                return [item]

    def end(self) -> list[Item]:
        """Return what is still held back: its calls were never answered."""
        held: list[Item] = []
        for call_id, item in self._calls:
            held.append(item)
            if call_id in self._observations:
                held.append(self._observations.pop(call_id))
        held += self._observations.values()
        self._open = None
        self._calls.clear()
        self._observations.clear()
        return held

    def _call(self, call_id: str, item: Event) -> list[Item]:
        if self._open is not None:
            self._calls.append((call_id, item))
            return []
        self._open = call_id
        return [item]

    def _observation(self, call_id: str, item: Event) -> list[Item]:
        if call_id == self._open:
            return [item, *self._next()]
        if any(call_id == waiting for waiting, _ in self._calls):
            self._observations[call_id] = item
            return []
        return [item]  # its call never began

    def _next(self) -> list[Item]:
        """Return the calls that come next, up to the first one without an observation."""
        shown: list[Item] = []
        self._open = None
        while self._open is None and self._calls:
            call_id, item = self._calls.pop(0)
            shown.append(item)
            if call_id in self._observations:
                shown.append(self._observations.pop(call_id))
            else:
                self._open = call_id
        return shown
