"""The snapshots that a session recorded, and after which step each of its rounds began."""

from __future__ import annotations

from dataclasses import dataclass

from recordings.events import Event, Snapshot, ToolCall, UserMessage


@dataclass(frozen=True, slots=True)
class StepSnapshot:
    """The snapshot after a step."""

    step: int
    tree: str
    cause: str


class SnapshotTrail:
    """The snapshots and rounds after each event of a session."""

    def __init__(self) -> None:
        self.kept: list[StepSnapshot] = []
        """The recorded snapshots, in order."""
        self.rounds: list[int] = []
        """After which step each round began."""
        self._step = 0
        self._round = 0

    @property
    def restore_broke_off(self) -> bool:
        """Whether restoring an earlier state of the workspace was interrupted."""
        return bool(self.kept) and self.kept[-1].cause == "before"

    def feed(self, event: Event) -> None:
        """Take account of an event."""
        match event.data:
            case Snapshot(step=step, tree=tree, cause=cause):
                self.kept.append(StepSnapshot(step, tree, cause))
            case ToolCall(step=step):
                self._step = step
            case UserMessage(round=number) if number > self._round:
                self._round = number
                self.rounds.append(self._step)
