"""The snapshots that a recording names, and the workspace at any of its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recordings.events import (
    Event,
    Observation,
    SessionEnd,
    SessionResume,
    Snapshot,
    SnapshotFailed,
    ToolCall,
    UserMessage,
)
from recordings.storage.log import event_of, head_of, read_lines

_SNAPSHOT = frozenset({Snapshot.type})
_READ = frozenset(
    kind.type
    for kind in (
        *(UserMessage, ToolCall, Observation, Snapshot, SnapshotFailed),
        *(SessionResume, SessionEnd),
    )
)


@dataclass(frozen=True, slots=True)
class WorkspaceAt:
    """The workspace at an event, as far as the recording knows it."""

    tree: str
    step: int
    """The last step whose changes are in it."""
    exact: bool
    """False when calls of a later step had run whose changes are not in a snapshot."""


def snapshots_of(recording: Path) -> Iterator[Event]:
    """Yield the events of type `snapshot` in order.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    return (event for event in _events(recording, _SNAPSHOT))


def last_snapshot(recording: Path) -> tuple[Snapshot | None, bool]:
    """Return the last snapshot, and whether a restore after it was interrupted.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    last, broke_off = None, False
    for event in snapshots_of(recording):
        if isinstance(event.data, Snapshot):
            broke_off = event.data.cause == "before"
            last = last if broke_off else event.data
    return last, broke_off


def workspace_at(recording: Path, seq: int) -> WorkspaceAt | None:
    """Return the workspace right after event `seq`, or `None` without a snapshot.

    A step's snapshot is written shortly after its last observation and counts for that event too.
    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    state = _State()
    for event in _events(recording, _READ):
        if event.seq > seq:
            if isinstance(event.data, UserMessage) and state.result() is None:
                continue  # the first snapshot comes in the first round
            state.look_ahead(event)
            break
        state.feed(event)
    return state.result()


_BETWEEN = ("start", "round", "resume", "command", "before")
"""Causes of snapshots that say more about the moment before them."""


class _State:
    """The last snapshot up to an event, and whether it has all changes."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._step = 0
        """Step of the calls that ran since; 0 without calls."""
        self._exact = True

    def feed(self, event: Event) -> None:
        """Read an event up to the requested one."""
        match event.data:
            case Snapshot() as snapshot:
                self._snapshot, self._step, self._exact = snapshot, 0, True
            case ToolCall(step=step):
                self._step = step
            case SnapshotFailed():
                self._exact = False

    def look_ahead(self, event: Event) -> None:
        """Read the event after the last one, which may say more about that moment."""
        match event.data:
            case ToolCall(step=step) | Observation(step=step) if step == self._step:
                pass  # the step has not ended
            case Snapshot(cause="step", step=step) if step == self._step:
                self.feed(event)
            case Snapshot(cause="start" | "round" | "resume" | "command" | "before") if (
                self._step == 0
            ):
                self.feed(event)
            case SnapshotFailed() | SessionResume():
                pass
            case _:  # the next calls and the session's end come after a snapshot of changes
                self._step = 0

    def result(self) -> WorkspaceAt | None:
        """Return the result."""
        snapshot = self._snapshot
        if snapshot is None:
            return None
        return WorkspaceAt(snapshot.tree, snapshot.step, self._exact and self._step == 0)


def _events(recording: Path, types: frozenset[str]) -> Iterator[Event]:
    for line in read_lines(recording):
        if head_of(recording, line).type in types:
            yield event_of(recording, line)
