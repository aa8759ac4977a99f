"""Undo: restores the workspace to before a round or some steps; again, it goes further back."""

from __future__ import annotations

from dataclasses import dataclass

from sii_cli.errors import UsageError
from sii_cli.workspace.tracker import RestoredTree, WorkspaceTracker


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did."""

    what: str
    """Which state was restored: `before round 2`."""
    back: RestoredTree | None
    """`None` when nothing differed."""


class Undo:
    """The undos of one session."""

    def __init__(self, tracker: WorkspaceTracker) -> None:
        self._tracker = tracker
        self._stands_at: int | None = None
        """The step that the last undo went back to."""
        self._rounds = 0
        """How many rounds there were then."""

    async def back(self, steps: int | None, now: int) -> Undone:
        """Go back before the last `steps` steps, or before the last round; `now` steps were taken.

        Raises `UsageError` when there is nothing to go back to, and `SnapshotError`.
        """
        await self._tracker.wait_until_safe()
        at = self._stands_at if self._rounds == len(self._tracker.rounds) else None
        target, what = self._target(steps, now if at is None else at)
        kept = [kept for kept in self._tracker.kept if kept.step <= target]
        if not kept:
            raise UsageError(f"There is no snapshot of the workspace {what}.")
        back = await self._tracker.restore(kept[-1].tree, "undo", now)
        self._stands_at, self._rounds = target, len(self._tracker.rounds)
        return Undone(what, back)

    def _target(self, steps: int | None, at: int) -> tuple[int, str]:
        """Return the step after which to restore, and its description."""
        if steps is not None:
            if not 0 < steps <= at:
                raise UsageError(f"There are {at} steps to undo.")
            return at - steps, f"before step {at - steps + 1}"
        begins = [number for number, step in enumerate(self._tracker.rounds) if step < at]
        if not begins:
            raise UsageError("There is no round to undo.")
        return self._tracker.rounds[begins[-1]], f"before round {begins[-1] + 1}"
