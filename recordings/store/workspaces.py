"""Which snapshots of the workspace a recording names, and which one stands for a moment of it."""

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
from recordings.storage.lines import read_head
from recordings.storage.log import event_of, read_lines

_SNAPSHOT = frozenset({Snapshot.type})
_ROUNDS = frozenset({UserMessage.type, ToolCall.type})
_READ = frozenset(
    kind.type
    for kind in (
        *(UserMessage, ToolCall, Observation, Snapshot, SnapshotFailed),
        *(SessionResume, SessionEnd),
    )
)


@dataclass(frozen=True, slots=True)
class WorkspaceAt:
    """The workspace as it stood at an event, as far as the recording knows."""

    tree: str
    step: int
    """The last step whose calls are in it."""
    exact: bool
    """False: calls of a later step had run by then whose changes are in no snapshot."""


def snapshots_of(recording: Path) -> Iterator[Event]:
    """Yield the events of type `snapshot`, in order.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    return (event for event in _events(recording, _SNAPSHOT))


def last_settled(recording: Path) -> tuple[Snapshot | None, bool]:
    """Return the last snapshot that stands for itself, and whether what came after broke off.

    That is an earlier tree that was being brought back. Raises `RecordingNotFound`,
    `RecordingDamaged`, `RecordingTooNew`.
    """
    last, broke_off = None, False
    for event in snapshots_of(recording):
        if isinstance(event.data, Snapshot):
            broke_off = event.data.cause == "before"
            last = last if broke_off else event.data
    return last, broke_off


def rounds_of(recording: Path) -> Iterator[int]:
    """Yield after which step each round began.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    steps = 0
    for event in _events(recording, _ROUNDS):
        match event.data:
            case ToolCall(step=step):
                steps = step
            case UserMessage():
                yield steps


def workspace_at(recording: Path, seq: int) -> WorkspaceAt | None:
    """Return the workspace as it stood right after event `seq`; none: no snapshot tells.

    A step's snapshot is written a moment after its last observation and stands for that moment
    too. Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    state = _State()
    for event in _events(recording, _READ):
        if event.seq > seq:
            if isinstance(event.data, UserMessage) and state.result() is None:
                continue  # before the first round there is none: it begins with one
            state.look_ahead(event)
            break
        state.take(event)
    return state.result()


class _State:
    """The last snapshot up to an event, and whether it says all."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._step = 0
        """Of the calls that ran since; 0: none did."""
        self._exact = True

    def take(self, event: Event) -> None:
        """Take what came up to the moment asked for."""
        match event.data:
            case Snapshot() as snapshot:
                self._snapshot, self._step, self._exact = snapshot, 0, True
            case ToolCall(step=step):
                self._step = step
            case SnapshotFailed():
                self._exact = False

    def look_ahead(self, event: Event) -> None:
        """Take the first that came after it: what it says of that moment."""
        match event.data:
            case ToolCall(step=step) | Observation(step=step) if step == self._step:
                pass  # in the midst of a step
            case Snapshot(cause="step", step=step) if step == self._step:
                self.take(event)
            case Snapshot(cause="start" | "round" | "resume" | "before") if self._step == 0:
                self.take(event)
            case SnapshotFailed() | SessionResume():
                pass
            case _:  # the next calls and the session's end wait for a snapshot of what changed
                self._step = 0

    def result(self) -> WorkspaceAt | None:
        """Return what is known."""
        snapshot = self._snapshot
        if snapshot is None:
            return None
        return WorkspaceAt(snapshot.tree, snapshot.step, self._exact and self._step == 0)


def _events(recording: Path, types: frozenset[str]) -> Iterator[Event]:
    for line in read_lines(recording):
        if read_head(line.text).type in types:
            yield event_of(recording, line)
