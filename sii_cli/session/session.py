"""A session: one conversation, one recording. Assembles model, sandbox, tools and recorder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import (
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from dataclasses import replace
from functools import cached_property
from typing import Any

from recordings.conversation.pending import Pending
from recordings.errors import RecordingError
from recordings.events import AttachedFile, Delivery, Origin
from sandbox.protocol import SandboxBackend, SandboxSpec
from sii_cli.agent.context.compaction import Compactor, ReviewSummary
from sii_cli.agent.event_channel import Item
from sii_cli.agent.loop import AgentLoop
from sii_cli.agent.permissions import Permit, permit_all
from sii_cli.agent.round_control import RoundOver
from sii_cli.assembly import (
    Mode,
    data_sets_of,
    make_backend,
    make_model,
    make_spec,
)
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.import_path import leave_out
from sii_cli.model.types import Model, ServedModel
from sii_cli.session.asked_server import AskedServer
from sii_cli.session.events import NO_QUERY, QueryOrigin
from sii_cli.session.human_command import run_human_command
from sii_cli.session.memory import keep_freed_memory
from sii_cli.session.opening import RecordingOpener
from sii_cli.session.permissions import make_permissions
from sii_cli.session.pins import departure_sentence, departures_of
from sii_cli.session.request_params import params_notes
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.sandbox_lease import SandboxLease
from sii_cli.session.sandboxed_session import SandboxedSession
from sii_cli.session.undoing import SessionUndo
from sii_cli.workspace.tracker import WorkspaceTracker
from tools.registry import default_tools
from tools.sources import ToolSource
from tools.toolbox import Toolbox


class Session(SandboxedSession):
    """Opens at once; the server is asked and the sandbox started while the user types.

    The recording begins with the first message, so a session without messages leaves nothing
    behind.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        mode: Mode,
        model: Model,
        backend: SandboxBackend,
        spec: SandboxSpec,
        resumed: ResumedRecording | None = None,
        about: QueryOrigin = NO_QUERY,
        permit: Permit = permit_all,
        review: ReviewSummary | None = None,
        sources: Sequence[ToolSource] = (),
    ) -> None:
        self._asked = AskedServer(settings, model)
        lease = SandboxLease(backend, spec, data_sets_of(settings))
        web = replace(settings.web, is_batch=mode == "batch")
        names = settings.tools or default_tools(settings.image)
        self._toolbox = toolbox = Toolbox(names, lease.get, web, sources)
        tracker = WorkspaceTracker(settings) if settings.snapshots else None
        opener = RecordingOpener(
            settings, mode, about, model, toolbox, lease, permit, tracker, review
        )
        super().__init__(opener, resumed, self.served)
        self.undoing = SessionUndo(tracker, self._loop_to_undo)

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        mode: Mode,
        model: Model | None = None,
        backend: SandboxBackend | None = None,
        resumed: ResumedRecording | None = None,
        about: QueryOrigin = NO_QUERY,
        permit: Permit | None = None,
        review: ReviewSummary | None = None,
        sources: Sequence[ToolSource] = (),
    ) -> Session:
        """Make a session from settings and begin it; returns at once.

        `model` and `backend` replace those that the settings name: sessions side by side share a
        backend. `resumed` is a recording to continue. `permit` decides of each tool call
        whether it may run (`sii_cli.agent.permissions`); without it the user's rules do. The tools
        of `sources` are added to those that the settings name. `review` shows a summary before it
        replaces the history.
        """
        keep_freed_memory()
        leave_out(os.fspath(settings.workspace))
        session = cls(
            settings=settings,
            mode=mode,
            model=model or make_model(settings),
            backend=backend or make_backend(settings),
            spec=make_spec(settings),
            resumed=resumed,
            about=about,
            permit=permit or make_permissions(settings),
            review=review,
            sources=sources,
        )
        session.begin()
        return session

    def begin(self) -> None:
        """Start the sandbox, ask the server and read the workspace in the background."""
        self._lease.begin()
        if self._tracker is not None:
            self._tracker.begin()
        self._asked.ask()

    async def served(self) -> ServedModel:
        """Return what the server serves, waiting for its answer. Raises `ModelCallFailed`."""
        return await self._asked.served()

    async def served_names(self) -> Sequence[str]:
        """Return all models that the server serves now. Raises `ModelCallFailed`."""
        model = make_model(replace(self.settings, model=None))
        try:
            served = await model.describe()
        finally:
            await model.aclose()
        return served.names or (served.name,)

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        """Return the ids that the server makes of messages, or `None` where it does not say."""
        return await self._asked.model.render(body)

    async def change_model(self, settings: Settings, model: Model | None = None) -> ServedModel:
        """Continue with the model, or the thinking, that other settings name, between rounds.

        `model` replaces the one that they name. Raises `UsageError` when the recording was ended or
        the new prompts cannot be sent, `ModelCallFailed`; the session is as it was then.
        """
        if self.is_off:
            raise UsageError("The session is not recorded any more: `/new`, then `/model`.")
        asked = AskedServer(settings, model or make_model(settings))
        opener = replace(self._opener, settings=settings, model=asked.model)
        try:
            served = await asked.served()
            if self._loop is not None:
                assert self._recorder is not None
                self._loop = await opener.change_model(self._loop, self._recorder, served)
        except BaseException:
            await asked.aclose()
            raise
        before, self._asked = self._asked, asked
        self._opener = opener
        await before.aclose()
        return served

    async def send(
        self,
        text: str,
        origin: Origin = "human",
        pending: Pending | None = None,
        attached: Sequence[AttachedFile] = (),
        typed: str | None = None,
    ) -> AsyncGenerator[Item, None]:
        """Begin a round with a message, and yield what happens until the round ends.

        `typed` is what the message was made of, where a command of the user's own made it.
        The model reads the `attached` files before it (`sii_cli.session.attachments`).
        `pending` is the message where it waited. A steer that the answer came before begins another
        round, which is yielded too.

        Closing the generator early interrupts the round. Raises `ModelCallFailed` when no server
        can be used, and `RecordingFailed` when the recording cannot be written: the next message
        continues what was kept of it. A sandbox that cannot be started ends the round.
        """
        loop = self._loop or await self._open_recording()
        left, self._left = self._left, None
        for file in attached:
            loop.inbox.attach(file)
        async with self._streaming(loop.round(text, origin, left, pending, typed)) as items:
            async for item in items:
                yield item

    async def send_waiting(self) -> AsyncGenerator[Item, None]:
        """Begin a round with the message that a resumed session has waiting, as `send` does.

        Raises `UsageError` when none waits: another process has sent it.
        """
        loop = self._loop or await self._open_recording(keeps_waiting=True)
        if not loop.inbox.waiting:
            raise UsageError("No message waits in this session: say what comes next.")
        first = loop.inbox.waiting[0]
        async with self._streaming(loop.round(first.text, "human", None, first)) as items:
            async for item in items:
                yield item

    async def resume(self) -> None:
        """Resume the recording now, not with the next message. Raises as `send` does."""
        if self._loop is None:
            await self._open_recording()

    async def resume_round(self) -> AsyncGenerator[Item, None]:
        """Continue the round that the recording left open, as `send` does.

        Raises `UsageError` when there is none.
        """
        loop = self._loop or await self._open_recording(open_round=True)
        left, self._left = self._left, None
        if left is None:
            raise UsageError("The session's last round has ended: say what comes next.")
        async with self._streaming(loop.resume_round(left)) as items:
            async for item in items:
                yield item

    async def context_parts(self) -> dict[str, int]:
        """Return what fills the context, in tokens; nothing before the first message."""
        return await self._loop.context_parts() if self._loop else {}

    async def compact(self, focus: str = "") -> AsyncGenerator[Item, None]:
        """Compact the history between rounds, and yield what happens.

        `focus` is what the user wants the summary to keep.
        Raises `RoundOver` when that cannot be done, and what `send` raises.
        """
        if self._loop is None and self._resumed is None:
            raise RoundOver("limit", "there is nothing to sum up")
        loop = self._loop or await self._open_recording()
        async with self._streaming(loop.compact(focus)) as items:
            async for item in items:
                yield item

    async def run_command(self, command: str, *, told: bool) -> AsyncGenerator[Item, None]:
        """Run a command of the human in the session's shell, between rounds; yield what happens.

        Where it is `told`, the model reads of it before the next message. Raises `RoundOver` when
        it was interrupted before it began, `SandboxError` when there is no sandbox, and what
        `send` raises.
        """
        loop = self._loop or await self._open_recording()

        async def work() -> None:
            await run_human_command(
                command,
                told=told,
                loop=loop,
                sandbox=self._lease.get,
                tracker=self._tracker,
                speaker=self.settings.speaker,
            )

        async with self._streaming(loop.between_rounds(work)) as items:
            async for item in items:
                yield item

    @asynccontextmanager
    async def _streaming(
        self, items: AsyncGenerator[Item, None]
    ) -> AsyncIterator[AsyncGenerator[Item, None]]:
        """Close the generator in any case, and the recording when it cannot be written."""
        try:
            async with aclosing(items):
                yield items
        except RecordingError:
            self._leave_recording()
            raise

    @property
    def context(self) -> Compactor | None:
        """How full the context is, or `None` before the first message."""
        return self._loop.context if self._loop else None

    async def _loop_to_undo(self) -> AgentLoop:
        """Return the loop of the recording. Raises `UsageError`, and what `send` does."""
        if self.is_off:
            raise UsageError("Nothing can be undone: what is not recorded has no snapshots.")
        if self._loop is None and self._resumed is None:
            raise UsageError("Nothing was done yet that could be undone.")
        return self._loop or await self._open_recording()

    def notes(self, served: ServedModel) -> list[str]:
        """Return sentences for the user about the served model and the collection's pins."""
        departs = [departure_sentence(self.departures)] if self.departures else []
        return [*served.notes, *params_notes(self.settings, served), *departs]

    @cached_property
    def departures(self) -> list[str]:
        """What differs from the collection's pins, by name. Raises `UsageError`."""
        resumed = self._resumed.folder if self._resumed else None
        return departures_of(self.settings, self._toolbox.sha256, resumed)

    @property
    def in_round(self) -> bool:
        """Whether a round is running, which can be steered."""
        return self._loop is not None and self._loop.in_round

    def steer(self, text: str) -> Pending:
        """Send a message into the running round: the model reads it after the running step.

        It is recorded on return. Where the round's answer comes first, it begins the next round;
        where the round ends without one, it is in `take_returned`. Raises `UsageError` when no
        round is running, `RecordingFailed`.
        """
        return self._wait(text, "steer")

    def queue(self, text: str) -> Pending:
        """Record a message that is to be sent after the running round (`send` with `pending`).

        Raises as `steer` does.
        """
        return self._wait(text, "queued")

    def _wait(self, text: str, delivery: Delivery) -> Pending:
        if self._loop is None or not self._loop.in_round:
            raise UsageError("No round is running: send the message.")
        return self._loop.inbox.add(text, delivery)

    @property
    def waiting(self) -> list[Pending]:
        """The user's messages that wait to be delivered, in the order in which they were typed."""
        return self._loop.inbox.waiting if self._loop else []

    def take_back(self, pending: Pending) -> bool:
        """Take a message back that waits; return whether it was not delivered yet."""
        return self._loop is not None and self._loop.inbox.take_back(pending)

    def take_returned(self) -> list[Pending]:
        """Return, once, the messages that came back because a round ended without an answer."""
        if self._loop is None:
            return []
        returned, self._loop.inbox.returned = self._loop.inbox.returned, []
        return returned

    @property
    def can_interrupt(self) -> bool:
        """Whether a round can be interrupted; not before the first message."""
        return self._loop is not None

    def interrupt(self, by: Origin = "human") -> None:
        """Interrupt the running round; what was done is kept."""
        if self._loop is not None:
            self._loop.interrupt(by)

    async def close(self, hurried: asyncio.Event | None = None) -> None:
        """End the sandbox and the recording, each also when the others fail.

        Set `hurried`, also meanwhile, when somebody asks to stop: the last snapshot is then given
        up after a second.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self._end_recording)
            for tracker in (self._tracker, *self._left_trackers):
                if tracker is not None:
                    stack.push_async_callback(tracker.close, hurried)
            stack.push_async_callback(self._asked.aclose)
            stack.push_async_callback(self._lease.close)
            stack.push_async_callback(self._close_previews)
