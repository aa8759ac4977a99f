"""Going back at the prompt: files to an earlier state, or a fork before an earlier message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from recordings.conversation.rewind import OwnMessage, own_messages
from recordings.events import Rewind
from sii_cli.errors import explain
from sii_cli.prompt.slash import NotDone
from sii_cli.render.changes import plan_lines
from sii_cli.session.fork_in_place import fork_in_place
from sii_cli.session.session import Session
from sii_cli.workspace.undo import UndoPlan

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession

T = TypeVar("T")


class GoingBack:
    """What the commands `/undo`, `/redo`, `/rewind` and `/fork` do."""

    def __init__(self, at_prompt: PromptSession) -> None:
        self._at_prompt = at_prompt

    @property
    def has_snapshots(self) -> bool:
        """Whether snapshots of the workspace are taken."""
        return self._at_prompt.settings.snapshots

    async def plan_undo(self, steps: int | None = None, *, to: int | None = None) -> UndoPlan:
        """Return what an undo would restore. Raises `NotDone`."""
        return await or_not_done(self._session.undoing.plan(steps, to=to))

    async def plan_redo(self) -> UndoPlan:
        """Return what taking the last undo back would restore. Raises `NotDone`."""
        return await or_not_done(self._session.undoing.plan_redo())

    def show_plan(self, plan: UndoPlan) -> bool:
        """Show what goes back; return whether anything does."""
        self._at_prompt.say(*plan_lines(plan))
        return bool(plan.differences.changes or plan.differences.more)

    async def run_undo(self, plan: UndoPlan) -> None:
        """Restore what was planned. Raises `NotDone`."""
        undone = await or_not_done(self._session.undoing.run(plan))
        missing = undone.back.missing if undone.back else ()
        gone = [path for path in missing if path not in plan.differences.left]
        lines = [f"  not restored: {path}" for path in gone[:5]]
        way_back = "" if plan.redoes else " /redo takes it back."
        self._at_prompt.say(f"The workspace is as it was {plan.what}.{way_back}", *lines)

    async def own_messages(self) -> list[OwnMessage]:
        """Return the human's messages of the session. Raises `NotDone`."""
        folder = self._at_prompt.folder
        return [] if folder is None else await or_not_done(asyncio.to_thread(own_messages, folder))

    async def rewind(self, message: OwnMessage, why: str, *, files: bool) -> None:
        """Continue in a fork that ends before a message. Raises `NotDone`."""
        rewind = Rewind.model_validate(
            {
                "by": self._at_prompt.settings.speaker,
                "message": message.seq,
                "why": why,
                "files": files,
            }
        )
        await self._fork(message.seq - 1, rewind)

    async def fork(self) -> None:
        """Continue in a fork of the whole session. Raises `NotDone`."""
        await self._fork(None)

    async def _fork(self, at: int | None, rewind: Rewind | None = None) -> None:
        before = self._session.resumable
        if before is None or self._at_prompt.is_off:
            raise NotDone("Nothing is recorded yet that could be forked.")
        await self._at_prompt.close()
        settings, parent = self._at_prompt.settings, before.folder
        forking = asyncio.to_thread(fork_in_place, settings, parent, at, rewind)
        try:
            forked = await or_not_done(forking)
        except NotDone:
            await self._at_prompt.new(before)
            raise
        await self._at_prompt.new(forked)
        self._at_prompt.say(f"{parent.name} stays as it is; this is its fork {forked.folder.name}.")

    @property
    def _session(self) -> Session:
        opened = self._at_prompt.opened
        assert opened is not None, "commands wait for the session"
        return opened


async def or_not_done(work: Awaitable[T]) -> T:
    """Do the work; a known failure is raised as `NotDone`."""
    try:
        return await work
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        raise NotDone(str(known)) from error
