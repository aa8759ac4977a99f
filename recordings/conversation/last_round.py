"""The last round of a recording, and what the session has used until then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recordings.errors import UNREADABLE
from recordings.events import Event, ModelResponse, Usage
from recordings.storage.lines import parse_line
from recordings.storage.log import Line, event_of, head_of, read_lines

_STREAMED = ("model_delta", "tool_output")


@dataclass(frozen=True, slots=True)
class LastRound:
    """What a resumed session shows of what was before."""

    events: tuple[Event, ...]
    """From the message that began the round, without streamed pieces."""
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
    lines: list[Line] = []
    usage, fill, steps = Usage(), 0, 0
    for line in read_lines(folder):
        try:
            kind = head_of(folder, line).type
            if kind == "user_message":
                lines = [] if _begins_round(line) else lines
            elif kind == "model_response":
                used = _usage(folder, line)
                steps += 1
                if used is not None:
                    usage += used
                    fill = used.prompt_tokens + used.completion_tokens
        except UNREADABLE:
            continue
        if kind not in _STREAMED:
            lines.append(line)
    return LastRound(_events(folder, lines), steps, usage, fill)


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
