"""The last round of a recording, and what the session has used until then."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from recordings.errors import UNREADABLE
from recordings.events import Event, ModelResponse, Usage
from recordings.storage.lines import parse_line
from recordings.storage.log import Line, event_of, head_of, read_lines

MOST_EVENTS = 400
MOST_BYTES = 1 << 20
"""Of a round's end that is read: a round may be as large as a recording."""
_STREAMED = ("model_delta", "tool_output")
_STEP = "model_request"
"""Type of the event with which a step begins."""


@dataclass(frozen=True, slots=True)
class LastRound:
    """What a resumed session shows of what was before."""

    events: tuple[Event, ...]
    """From the message that began the round, without streamed pieces; of a long round the last
    steps.
    """
    steps: int
    """Of the session."""
    usage: Usage
    """Of all model calls of the session."""
    fill: int
    """Tokens of the last prompt with its response."""


def last_round(folder: Path) -> LastRound:
    """Read the last round of a recording; what cannot be read is left out.

    Raises `RecordingNotFound`.
    """
    end = _LastLines()
    usage, fill, steps = Usage(), 0, 0
    for line in read_lines(folder):
        try:
            kind = head_of(folder, line).type
            if kind == "user_message":
                end = _LastLines() if _begins_round(line) else end
            elif kind == "model_response":
                used = _usage(folder, line)
                steps += 1
                if used is not None:
                    usage += used
                    fill = used.prompt_tokens + used.completion_tokens
        except UNREADABLE:
            continue
        if kind not in _STREAMED:
            end.add(kind, line)
    return LastRound(_events(folder, end.lines()), steps, usage, fill)


class _LastLines:
    """The last lines of a round, within the limits."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, Line]] = deque()
        self._bytes = 0
        self._is_cut = False

    def add(self, kind: str, line: Line) -> None:
        """Add a line; the first ones are left out beyond the limits, but never the last."""
        self._lines.append((kind, line))
        self._bytes += len(line.text)
        while len(self._lines) > 1 and (self._bytes > MOST_BYTES or len(self._lines) > MOST_EVENTS):
            self._bytes -= len(self._lines.popleft()[1].text)
            self._is_cut = True

    def lines(self) -> list[Line]:
        """Return the lines, from the beginning of a step on where some are left out."""
        begins = 0
        if self._is_cut:
            steps = (at for at, (kind, _) in enumerate(self._lines) if kind == _STEP)
            begins = next(steps, 0)
        return [line for _, line in self._lines][begins:]


def _begins_round(line: Line) -> bool:
    return bool(parse_line(line.text)["data"].get("delivery") != "steer")


def _usage(folder: Path, line: Line) -> Usage | None:
    data = event_of(folder, line).data
    assert isinstance(data, ModelResponse)
    return data.usage


def _events(folder: Path, lines: list[Line]) -> tuple[Event, ...]:
    events: list[Event] = []
    for line in lines:
        try:
            events.append(event_of(folder, line))
        except UNREADABLE:
            continue
    return tuple(events)
