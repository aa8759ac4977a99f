"""Undoing what a session did to its workspace, as its recording and its model learn of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sii_cli.agent.loop import AgentLoop
from sii_cli.errors import UsageError
from sii_cli.workspace.notes import undone_note
from sii_cli.workspace.tracker import WorkspaceTracker
from sii_cli.workspace.undo import Undo, Undone, UndoPlan


class SessionUndo:
    """Restores the workspace to before a round or some steps.

    The model reads of it before the next message. The methods raise `UsageError`, `SnapshotError`,
    and what `Session.send` does.
    """

    def __init__(
        self, tracker: WorkspaceTracker | None, open_loop: Callable[[], Awaitable[AgentLoop]]
    ) -> None:
        """`open_loop` returns the loop of the recording, which is opened if need be."""
        self._undo = Undo(tracker) if tracker is not None else None
        self._open_loop = open_loop

    async def undo(self, steps: int | None = None) -> Undone:
        """Restore the workspace to before the last round, or the last `steps` steps."""
        return await self.run(await self.plan(steps))

    async def plan(self, steps: int | None = None, *, to: int | None = None) -> UndoPlan:
        """Return what an undo would restore: to before the last round, to before the last `steps`
        steps, or to after the step `to`.
        """
        undo, loop = await self._opened()
        if to is not None:
            return await undo.plan_to(to, "before that message", loop.steps)
        return await undo.plan(steps, loop.steps)

    async def plan_redo(self) -> UndoPlan:
        """Return what taking the last undo back would restore."""
        undo, loop = await self._opened()
        return await undo.plan_redo(loop.steps)

    async def run(self, plan: UndoPlan) -> Undone:
        """Do what was planned."""
        undo, loop = await self._opened()
        undone = await undo.run(plan, loop.steps)
        if undone.back is not None:
            loop.inbox.add_note(undone_note(undone.back.event, undone.what))
        return undone

    async def _opened(self) -> tuple[Undo, AgentLoop]:
        if self._undo is None:
            raise UsageError("No snapshots are taken (`snapshots = false`): nothing can be undone.")
        return self._undo, await self._open_loop()
