"""Going back at the prompt: one's own messages with what each changed, and forks made by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recordings.events import FileChange, Rewind, Snapshot, ToolCall, UserMessage
from recordings.storage.log import event_of, head_of, read_lines

REWIND_WHY = {
    "wrong": "the model was wrong",
    "unclear": "the message was unclear",
    "trying": "just trying",
}
"""Why the user went back (`Rewind.why`), in words for the user."""
_READ = frozenset({UserMessage.type, Snapshot.type, ToolCall.type})


@dataclass(slots=True)
class OwnMessage:
    """A message of the human in a recording."""

    seq: int
    text: str
    step: int
    """Steps with calls before it."""
    changes: list[FileChange] = field(default_factory=list)
    """What the steps after it changed, until the next message."""


def own_messages(folder: Path) -> list[OwnMessage]:
    """Return the human's messages of a recording.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    found: list[OwnMessage] = []
    step = 0
    for line in read_lines(folder):
        if head_of(folder, line).type not in _READ:
            continue
        event = event_of(folder, line)
        match event.data:
            case UserMessage(text=text) if event.origin == "human":
                found.append(OwnMessage(event.seq, text, step))
            case ToolCall(step=number):
                step = number
            case Snapshot(cause="step", changes=changes) if found:
                found[-1].changes += changes
    return found


def rewind_of(folder: Path) -> tuple[str, Rewind] | None:
    """Return the parent of a fork that was made by going back, and how; else `None`.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    parent = ""
    for line in read_lines(folder):
        if head_of(folder, line).session != folder.name:
            continue
        event = event_of(folder, line)
        parent = event.parent.session if event.parent else parent
        if isinstance(event.data, Rewind):
            return parent, event.data
        if not parent or isinstance(event.data, UserMessage):
            return None
    return None
