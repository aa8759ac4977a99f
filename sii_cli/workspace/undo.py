"""Undo: restores the workspace to before a round or some steps; again, it goes further back.

What others changed since is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from sii_cli.errors import UsageError
from sii_cli.workspace.tracker import Differences, RestoredTree, WorkspaceTracker


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did."""

    what: str
    """Which state was restored: `before round 2`."""
    back: RestoredTree | None
    """`None` when nothing differed."""


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undo will do."""

    what: str
    differences: Differences
    target: int
    """The step after which it restores."""
    tree: str
    leave: frozenset[str]
    redoes: bool = False


class Undo:
    """The undos of one session."""

    def __init__(self, tracker: WorkspaceTracker) -> None:
        self._tracker = tracker
        self._stands_at: int | None = None
        """The step that the last undo went back to."""
        self._rounds = 0
        """How many rounds there were then."""
        self._undone: list[tuple[int, int | None]] = []
        """Of each undo that can be redone: the snapshot before it, and where it stood then."""

    async def plan(self, steps: int | None, now: int) -> UndoPlan:
        """Plan to go back before the last `steps` steps, or before the last round; `now` steps were
        taken. Raises `UsageError` when there is nothing to go back to, and `SnapshotError`.
        """
        at = self._place()
        target, what = self._target(steps, now if at is None else at)
        return await self.plan_to(target, what, now)

    async def plan_to(self, target: int, what: str, now: int) -> UndoPlan:
        """Plan to go back to after step `target`. Raises as `plan` does."""
        await self._tracker.take_snapshot("round", now)
        found = [number for number, kept in enumerate(self._tracker.kept) if kept.step <= target]
        if not found:
            raise UsageError(f"There is no snapshot of the workspace {what}.")
        return await self._planned(found[-1], what, target, redoes=False)

    async def plan_redo(self, now: int) -> UndoPlan:
        """Plan to go back to before the last undo. Raises as `plan` does."""
        if self._place() is None or not self._undone:
            raise UsageError("There is no undo to take back.")
        await self._tracker.take_snapshot("round", now)
        number, target = self._undone[-1]
        stood = now if target is None else target
        return await self._planned(number, "before the undo", stood, redoes=True)

    async def run(self, plan: UndoPlan, now: int) -> Undone:
        """Do what is planned. Raises `SnapshotError`."""
        stood, before = self._place(), len(self._tracker.kept) - 1
        back = await self._tracker.restore(plan.tree, "undo", now, leave=plan.leave)
        if plan.redoes:
            self._undone.pop()
        else:
            self._undone = [*(self._undone if stood is not None else ()), (before, stood)]
        self._stands_at, self._rounds = plan.target, len(self._tracker.rounds)
        return Undone(plan.what, back)

    def _place(self) -> int | None:
        """Return the step that the last undo went back to, unless a round began since."""
        return self._stands_at if self._rounds == len(self._tracker.rounds) else None

    async def _planned(self, number: int, what: str, target: int, *, redoes: bool) -> UndoPlan:
        tree = self._tracker.kept[number].tree
        leave = await self._tracker.changed_by_others(number)
        differences = await self._tracker.differences(tree, leave)
        return UndoPlan(what, differences, target, tree, leave, redoes)

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
