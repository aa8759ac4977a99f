"""Runs the sessions of a batch in this process, side by side."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from sandbox.protocol import SandboxBackend
from sii_cli.agent.event_channel import Item
from sii_cli.assembly import make_backend, make_model, make_spec
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.rounds import AttemptResult, run_attempt
from sii_cli.batch.sessions.served_model import ModelPin
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.batch.sessions.simulated_user import UserSimulator
from sii_cli.config.settings import Settings
from sii_cli.model.types import Model
from sii_cli.queries.check.check import Checker
from sii_cli.queries.workspaces.copies import remove_copy
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
        self._simulator: UserSimulator | None = None
        self._user: Model | None = None
        name = parts.plan.simulated_user
        if name is not None:
            settings = replace(parts.settings, model=name)
            self._user = self._make_model(settings)
            self._simulator = UserSimulator(self._user, settings)

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
        """Run a session in a copy of its workspace, which is removed afterwards."""
        workspace = await asyncio.to_thread(self._parts.make_workspace, attempt.query)
        try:
            return await self._run(attempt, workspace, on_item)
        finally:
            await remove_copy(workspace)

    async def aclose(self) -> None:
        """Close the simulated user's connections."""
        if self._user is not None:
            await self._user.aclose()

    async def _run(self, attempt: Attempt, workspace: Path, on_item: OnItem) -> AttemptResult:
        settings = self._parts.settings_of(attempt, workspace)
        session = await Session.open(
            settings,
            mode="batch",
            model=self._make_model(settings),
            backend=self._backend,
            about=self._parts.about(attempt),
        )
        try:
            self._model_pin.check(attempt.variant.get("model"), await session.served())
            if settings.setup:  # one that fails costs no generation
                await session.sandbox()
            return await run_attempt(
                attempt,
                session,
                self._checker(attempt, settings),
                feedback_rounds=self._parts.plan.feedback_rounds,
                simulator=self._simulator,
                on_item=lambda item: on_item(attempt, item),
            )
        finally:
            await session.close()

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
