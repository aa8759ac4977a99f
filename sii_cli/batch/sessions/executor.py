"""Runs the sessions of a batch in this process, side by side."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from recordings.conversation.parking import parking_of
from recordings.events import QueryOutcome
from sandbox.protocol import SandboxBackend
from sii_cli.agent.event_channel import Item
from sii_cli.assembly import make_backend, make_model, make_spec
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.continuation import make_continuation
from sii_cli.batch.sessions.feedback import CheckFeedback, FeedbackSource, PersonFeedback
from sii_cli.batch.sessions.rounds import AttemptResult, continue_attempt, run_attempt
from sii_cli.batch.sessions.served_model import ModelPin
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.batch.sessions.simulated_user import UserSimulator
from sii_cli.config.home_key import require_proved
from sii_cli.config.settings import Settings
from sii_cli.model.types import Model
from sii_cli.queries.check.check import Checker
from sii_cli.queries.workspaces.copies import remove_copy
from sii_cli.queries.workspaces.stopping import in_stoppable_thread
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session

OnItem = Callable[[Attempt, Item], None]
"""Called with what happens in a session, as it happens."""


class Executor(Protocol):
    """Runs sessions; its caller decides how many at once."""

    async def run(self, attempt: Attempt, on_item: OnItem) -> AttemptResult:
        """Run a session to its outcome.

        Raises `ModelCallFailed` when no server can be used, `RecordingFailed`, and
        `WorkspaceUnavailable`; the session does not count then. Cancelling ends the session in
        order, without an outcome.
        """
        ...

    async def aclose(self) -> None:
        """Release what the sessions share."""
        ...


class LocalExecutor:
    """Runs sessions in this process, side by side.

    They share a sandbox backend, so that no more start at a time than the engine bears: the first
    ones work while others wait for theirs.
    """

    def __init__(
        self,
        parts: SessionParts,
        *,
        make_model: Callable[[Settings], Model] = make_model,
        backend: SandboxBackend | None = None,
    ) -> None:
        """`backend` replaces the one that the settings name."""
        self._parts = parts
        self._backend = backend or make_backend(parts.settings)
        self._model_pin = ModelPin(parts.served)
        self._make_model = make_model
        self._user: Model | None = None
        self._source = self._make_source()

    def at_home(self, home: Path, query_folder: Path) -> LocalExecutor:
        """Return an executor that shares everything with this one but the folder of recordings.

        Paths in queries are relative to `query_folder`. No home key proves what is recorded there:
        the home that receives the recordings seals them.
        """
        other = copy.copy(self)
        settings = replace(self._parts.settings, home=home, workspace=home, key_home=None)
        plan = replace(self._parts.plan, query_folder=str(query_folder))
        other._parts = replace(self._parts, settings=settings, plan=plan)
        return other

    async def run(self, attempt: Attempt, on_item: OnItem) -> AttemptResult:
        """Run a session in a copy of its workspace, which is removed unless it is parked."""
        workspace, resumed = await in_stoppable_thread(self._begin, attempt)
        is_parked = False
        try:
            async with self._open(attempt, workspace, resumed) as (session, checker):
                result = await run_attempt(
                    attempt,
                    session,
                    checker,
                    source=self._source,
                    asked_by="query" if resumed is None else "annotator",
                    on_item=lambda item: on_item(attempt, item),
                )
            is_parked = result.is_parked
            return result
        finally:
            if not is_parked:
                await remove_copy(workspace)

    def _begin(self, attempt: Attempt) -> tuple[Path, ResumedRecording | None]:
        """Return a session's workspace, and the fork that it continues, if one was sent back."""
        step = self._parts.plan.sent_back.get(attempt.query.id)
        if step is None:
            return self._parts.make_workspace(attempt.query), None
        return make_continuation(self._parts, attempt, step)

    async def continue_parked(
        self,
        attempt: Attempt,
        folder: Path,
        on_item: OnItem,
        opened: Callable[[Session], None] = lambda session: None,
    ) -> QueryOutcome | None:
        """Continue a parked session with the reply that it has, as `continue_attempt` does.

        `folder` is its recording; `opened` is given the session, which can be suspended. Raises
        `SiiError` for a foreign recording.
        """
        await asyncio.to_thread(require_proved, folder)
        parking = await asyncio.to_thread(parking_of, folder)
        if parking is None or parking.stage in ("waits", "done"):
            return None  # another process has continued it
        workspace = await asyncio.to_thread(self._parts.kept_workspace, folder, parking.start)
        resumed, speaker = ResumedRecording(folder), parking.speaker
        async with self._open(attempt, workspace, resumed, speaker) as (session, checker):
            opened(session)
            return await continue_attempt(
                attempt, session, checker, parking, on_item=lambda item: on_item(attempt, item)
            )

    async def aclose(self) -> None:
        """Close the simulated user's connections."""
        if self._user is not None:
            await self._user.aclose()

    @asynccontextmanager
    async def _open(
        self,
        attempt: Attempt,
        workspace: Path,
        resumed: ResumedRecording | None = None,
        speaker: str | None = None,
    ) -> AsyncIterator[tuple[Session, Checker | None]]:
        """Open a session, or resume one; `speaker`: who replied to it."""
        settings = self._parts.settings_of(attempt, workspace)
        if resumed is not None:
            settings = replace(settings, speaker=speaker)
        session = await Session.open(
            settings,
            mode="batch",
            model=self._make_model(settings),
            backend=self._backend,
            resumed=resumed,
            about=self._parts.about(attempt),
        )
        hurried = asyncio.Event()
        try:
            self._model_pin.check(attempt.variant.get("model"), await session.served())
            if settings.setup:  # one that fails costs no generation
                await session.sandbox()
            yield session, self._checker(attempt, settings)
        except asyncio.CancelledError:
            hurried.set()
            raise
        finally:
            await session.close(hurried)

    def _make_source(self) -> FeedbackSource:
        plan = self._parts.plan
        if plan.feedback == "human":
            return PersonFeedback()
        if plan.simulated_user is None:
            return CheckFeedback(plan.feedback_rounds)
        settings = replace(self._parts.settings, model=plan.simulated_user)
        self._user = self._make_model(settings)
        return CheckFeedback(plan.feedback_rounds, UserSimulator(self._user, settings))

    def _checker(self, attempt: Attempt, settings: Settings) -> Checker | None:
        query = attempt.query
        if query.check is None:
            return None
        original = partial(self._parts.make_workspace, query)
        return Checker(
            query.check,
            query.check_files,
            self._backend,
            make_spec(settings),
            original,
            query.pass_at,
        )
