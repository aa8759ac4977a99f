"""Where sessions of a batch run: one small protocol; here, in this process."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sandbox.protocol import SandboxBackend
from sii_cli.agent.wire import Item
from sii_cli.assembly import make_backend, make_model, make_spec
from sii_cli.batch.check import Checker
from sii_cli.batch.job import Result, run_job
from sii_cli.batch.places import find_homes, held, never, place_of
from sii_cli.batch.plan import Job, Plan
from sii_cli.batch.query_asks import asks_of
from sii_cli.batch.served import Pinned, ServedPin
from sii_cli.batch.simulated_user import UserSimulator
from sii_cli.batch.workspaces import WorkspaceUnavailable, make_workspace, remove_workspace
from sii_cli.config.settings import Settings, find_key_home
from sii_cli.model.types import Model
from sii_cli.queries.queries import Query
from sii_cli.session.events import About
from sii_cli.session.session import Session
from sii_cli.trust.asks import Allowed, refused

WORKSPACES = "workspaces"

OnItem = Callable[[Job, Item], None]
"""Called with what happens in a session, as it happens."""


class Executor(Protocol):
    """Runs sessions; how many at once is its caller's business."""

    async def run(self, job: Job, on_item: OnItem) -> Result:
        """Run a session to its outcome.

        Raises `ModelCallFailed` when no server can be used, `RecordingFailed`, and
        `WorkspaceUnavailable`; nothing of the session counts then. Cancelling it ends the session
        in order, without an outcome.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what is shared by the sessions."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What every session of a batch needs to be put together; can be sent to another machine."""

    settings: Settings
    """`home` is the batch's folder."""
    plan: Plan
    served: Pinned = field(default_factory=dict)
    """What answered the sessions so far."""

    @property
    def workspaces(self) -> Path:
        """Where the sessions' copies of their workspaces are."""
        return self.settings.home / WORKSPACES

    def make_workspace(self, query: Query) -> Path:
        """Return a new copy of a query's workspace. Blocks.

        Raises `WorkspaceUnavailable`, also when the query asks for what was not allowed: a path may
        lead elsewhere by now.
        """
        homes = find_homes(find_key_home(os.environ))
        place = place_of(query, Path(self.plan.query_folder), homes)
        why = never(query, place, homes)
        left = refused(asks_of(query, place, self.settings), Allowed(asks=self.plan.asks))
        if why or left:
            why = why or f"{left[0].value} was not allowed when the batch began."
            raise WorkspaceUnavailable(f"The workspace of {query.id} cannot be made: {why}")
        try:
            with held(query, place) as (same, base):
                return make_workspace(same, base, self.workspaces, self.settings.disk)
        except OSError as error:
            raise WorkspaceUnavailable(
                f"The workspace of {query.id} cannot be made: {error.strerror}."
            ) from error

    def settings_of(self, job: Job, workspace: Path) -> Settings:
        """Return a session's settings: the batch's, the query's over them, the variant over all."""
        query, own = job.query, self.settings
        changes: dict[str, Any] = {"workspace": workspace}
        for name in ("image", "allow_net", "setup"):
            if value := getattr(query, name):
                changes[name] = value
        if query.tools:
            changes["tools"] = tuple(name for name in query.tools if name in own.tools)
        if query.env:
            changes["env"] = (*self.settings.env, *(f"{k}={v}" for k, v in query.env.items()))
        if query.limits.steps is not None:
            changes["max_steps"] = min(query.limits.steps, own.max_steps)
        if query.limits.output is not None:
            changes["output_size"] = min(query.limits.output, own.output_size)
        if self.settings.seed is not None:  # each attempt is another draw, and repeatable
            changes["seed"] = self.settings.seed + job.attempt - 1
        return replace(self.settings, **(changes | job.variant))

    def about(self, job: Job) -> About:
        """Return what a session's recording says of its query."""
        query = job.query
        return About(
            query=query.id,
            batch=self.plan.name,
            attempt=job.attempt,
            variant=job.variant,
            source=query.source,
            license=query.license,
            rubric=query.rubric,
            tags=list(query.tags),
        )


class LocalExecutor:
    """Runs sessions in this process, side by side.

    They share a sandbox backend, so that no more start at a time than the engine bears: the first
    ones are at work while others wait for theirs.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        make_model: Callable[[Settings], Model] = make_model,
        backend: SandboxBackend | None = None,
    ) -> None:
        """`backend` stands in for the one that the settings name."""
        self._bench = bench
        self._backend = backend or make_backend(bench.settings)
        self._served = ServedPin(bench.served)
        self._make_model = make_model
        self._simulator: UserSimulator | None = None
        self._user: Model | None = None
        name = bench.plan.simulated_user
        if name is not None:
            settings = replace(bench.settings, model=name)
            self._user = self._make_model(settings)
            self._simulator = UserSimulator(self._user, settings)

    def at_home(self, home: Path, query_folder: Path) -> LocalExecutor:
        """Return one that shares everything with this, and keeps its recordings elsewhere; paths
        in queries count from `query_folder`.

        Nothing is proved there: who brings them home says whose they are.
        """
        other = copy.copy(self)
        settings = replace(self._bench.settings, home=home, workspace=home, key_home=None)
        plan = replace(self._bench.plan, query_folder=str(query_folder))
        other._bench = replace(self._bench, settings=settings, plan=plan)
        return other

    async def run(self, job: Job, on_item: OnItem) -> Result:
        """Run a session in a copy of its workspace, which is removed afterwards."""
        bench = self._bench
        workspace = await asyncio.to_thread(bench.make_workspace, job.query)
        try:
            return await self._run(job, workspace, on_item)
        finally:
            await asyncio.shield(asyncio.to_thread(remove_workspace, workspace))

    async def aclose(self) -> None:
        """Close the simulated user's connections."""
        if self._user is not None:
            await self._user.aclose()

    async def _run(self, job: Job, workspace: Path, on_item: OnItem) -> Result:
        settings = self._bench.settings_of(job, workspace)
        session = await Session.open(
            settings,
            mode="batch",
            model=self._make_model(settings),
            backend=self._backend,
            about=self._bench.about(job),
        )
        try:
            self._served.check(job.variant.get("model"), await session.served())
            return await run_job(
                job,
                session,
                self._checker(job, settings),
                feedback_rounds=self._bench.plan.feedback_rounds,
                simulator=self._simulator,
                watch=lambda item: on_item(job, item),
            )
        finally:
            await session.close()

    def _checker(self, job: Job, settings: Settings) -> Checker | None:
        query, bench = job.query, self._bench
        if query.check is None:
            return None
        original = partial(bench.make_workspace, query)
        return Checker(query.check, query.check_files, self._backend, make_spec(settings), original)
