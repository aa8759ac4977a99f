"""Where a human's words may stand in place of what a recording says, and the fork that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recordings.errors import RecordingNotFound
from recordings.events import Event, ModelRequest, ModelResponse, ToolCall, UserMessage
from recordings.storage.log import event_of, read_checked_lines

EditedPart = Literal["message", "reasoning", "content", "calls"]


class NotEditable(RecordingNotFound):
    """An event that nobody may put words into."""


@dataclass(frozen=True, slots=True)
class EditPoint:
    """An event to be replaced."""

    event: Event
    """Of a user message or of a response."""
    sha256: str
    """Of its line."""
    at: int
    """The last event that a fork shares which says something else there."""


def edit_point(folder: Path, seq: int) -> EditPoint:
    """Return what is replaced at an event: a user message, or the response that a call is part of.

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
        f"Event {event.seq} is of type {event.data.type}: what a human may replace is a user "
        "message, a model's message (`model_response`) or a call in it (`tool_call`)."
    )


def changed_parts(before: UserMessage | ModelResponse, after: object) -> list[EditedPart]:
    """Name what differs between an event's data and what stands in its place."""
    if isinstance(before, UserMessage):
        return ["message"] if before != after else []
    assert isinstance(after, ModelResponse)
    parts: list[tuple[EditedPart, bool]] = [
        ("reasoning", (before.reasoning or "") != (after.reasoning or "")),
        ("content", (before.content or "") != (after.content or "")),
        ("calls", before.calls != after.calls),
    ]
    return [name for name, differs in parts if differs]
