"""Which events an annotator may replace in a fork, and where that fork begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recordings.errors import RecordingNotFound
from recordings.events import Event, ModelRequest, ModelResponse, ToolCall, UserMessage
from recordings.storage.log import event_of, read_checked_lines

EditedPart = Literal["message", "reasoning", "content", "calls"]


class NotEditable(RecordingNotFound):
    """Raised when an event cannot be replaced by an annotator."""


@dataclass(frozen=True, slots=True)
class EditPoint:
    """An event that an annotator replaces."""

    event: Event
    """A user message or a response."""
    sha256: str
    """sha256 of its line."""
    at: int
    """The last event that the fork shares with its parent."""


def edit_point(folder: Path, seq: int) -> EditPoint:
    """Return what is replaced at an event: a user message, or a response, also by one of its calls.

    Raises `NotEditable`, `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    request = 0
    response: EditPoint | None = None
    for line, sha256 in read_checked_lines(folder):
        event = event_of(folder, line)
        match event.data:
            case ModelRequest():
                request = event.seq
            case ModelResponse():
                response = EditPoint(event, sha256, request)
        if event.seq == seq:
            return _point(event, sha256, response)
    raise RecordingNotFound(f"The recording {folder.name} has no event {seq}.")


def _point(event: Event, sha256: str, response: EditPoint | None) -> EditPoint:
    match event.data:
        case UserMessage():
            return EditPoint(event, sha256, event.seq - 1)
        case ModelResponse() | ToolCall() if response is not None:
            return response
    raise NotEditable(
        f"Event {event.seq} is of type {event.data.type}: only a user message, a response "
        "(`model_response`) or a call in it (`tool_call`) can be replaced."
    )


def changed_parts(before: UserMessage | ModelResponse, after: object) -> list[EditedPart]:
    """Return which parts differ between an event's data and its replacement."""
    if isinstance(before, UserMessage):
        return ["message"] if before != after else []
    assert isinstance(after, ModelResponse)
    parts: list[tuple[EditedPart, bool]] = [
        ("reasoning", (before.reasoning or "") != (after.reasoning or "")),
        ("content", (before.content or "") != (after.content or "")),
        ("calls", before.calls != after.calls),
    ]
    return [name for name, differs in parts if differs]
