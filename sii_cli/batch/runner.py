"""Runs a batch: starts sessions as there is room, sorts out what fails, stops when asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from recordings.errors import RecordingError
from sii_cli import errors
from sii_cli.agent.wire import Item
from sii_cli.batch.executor import Executor
from sii_cli.batch.gate import Gate
from sii_cli.batch.job import Result
from sii_cli.batch.outcomes import INFRA
from sii_cli.batch.plan import Job
from sii_cli.batch.runs import Account, Spent
from sii_cli.errors import SiiError
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused

LOOK = 0.5
"""Seconds between looks at the gate while nothing ends."""
REST = 2.0
"""Seconds before a session that failed is run again; doubled with every further failure."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What the batch may use, over all of its runs; none: as much as it takes."""

    tokens: int | None = None
    """Generated."""
    hours: float | None = None
    gpu_hours: float | None = None

    def used_up(self, spent: Spent) -> str | None:
        """Name the part that is used up, if any."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"{self.tokens} tokens"
        if self.hours is not None and spent.seconds >= self.hours * 3600:
            return f"{self.hours:g} hours"
        if self.gpu_hours is not None and spent.gpu_seconds >= self.gpu_hours * 3600:
            return f"{self.gpu_hours:g} GPU-hours"
        return None


class Watcher(Protocol):
    """Is told what happens, for whoever looks on."""

    tokens: int
    """Generated so far by this run."""

    def started(self, job: Job) -> None:
        """A session begins."""

    def item(self, job: Job, item: Item) -> None:
        """Something happens in it."""

    def ended(self, job: Job, result: Result) -> None:
        """It came to an outcome."""

    def fell(self, job: Job, why: str, *, given_up: bool) -> None:
        """It failed by no fault of its own, and is run again unless it is given up."""

    def waits(self, why: str) -> None:
        """No session is started now; empty: they are again."""

    def stops(self, why: str) -> None:
        """No session is started any more."""


class Runner:
    """Runs the jobs of a plan that are not done yet."""

    def __init__(
        self,
        jobs: Iterable[Job],
        executor: Executor,
        *,
        gate: Gate,
        watcher: Watcher,
        account: Account,
        budget: Budget = Budget(),
        infra_retries: int = 3,
    ) -> None:
        self._jobs = deque(jobs)
        self._executor = executor
        self._gate = gate
        self._watcher = watcher
        self._account = account
        self._budget = budget
        self._infra_retries = infra_retries
        self._falls: Counter[str] = Counter()
        self._resting: list[tuple[float, Job]] = []
        """Jobs that failed, and when they may be run again (`time.monotonic`)."""
        self._running: dict[asyncio.Task[Result], Job] = {}
        self._stopping: str = ""
        self._failure: RecordingError | None = None

    def finish(self, why: str = "stopped") -> None:
        """Start no more sessions; those that run go on to their end."""
        if not self._stopping:
            self._stopping = why
            self._watcher.stops(why)

    def abort(self) -> None:
        """End all sessions now; they are run again when the batch goes on."""
        self.finish()
        self._cancel()

    async def run(self) -> str:
        """Run until everything is done or it was stopped; return why it was, or nothing.

        Raises `RecordingFailed` when recordings cannot be kept, after all sessions have ended.
        """
        try:
            while self._running or (not self._stopping and (self._jobs or self._resting)):
                self._account.tick(served=self._gate.served)
                used_up = self._budget.used_up(self._account.spent(self._watcher.tokens))
                if used_up is not None:
                    self.finish(f"the budget of {used_up} is used up")
                await self._start_sessions()
                await self._wait()
        finally:
            self._cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        return self._stopping

    def _cancel(self) -> None:
        for task in self._running:
            task.cancel()

    async def _start_sessions(self) -> None:
        now = time.monotonic()
        self._jobs.extend(job for due, job in self._resting if due <= now)
        self._resting = [(due, job) for due, job in self._resting if due > now]
        while self._jobs and not self._stopping:
            closed = await self._gate.closed(len(self._running))
            self._watcher.waits(closed or "")
            if closed is not None:
                return
            job = self._jobs.popleft()
            self._watcher.started(job)
            task = asyncio.create_task(self._executor.run(job, self._watcher.item))
            self._running[task] = job

    async def _wait(self) -> None:
        if not self._running:
            await asyncio.sleep(LOOK)
            return
        ended, _ = await asyncio.wait(
            self._running, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED
        )
        for task in ended:
            await self._take(self._running.pop(task), task)

    async def _take(self, job: Job, task: asyncio.Task[Result]) -> None:
        """Take what became of a session."""
        if task.cancelled():
            if not self._stopping:  # by none of us
                await self._again(job, "it was cancelled")
            return
        error = task.exception()
        match error:
            case None:
                result = task.result()
                if result.outcome.status == INFRA:
                    await self._again(job, result.outcome.reason)
                else:
                    self._gate.went_well()
                    self._watcher.ended(job, result)
            case RecordingError():
                self._failure = error
                self.finish(str(error))
            case SiiError(exit_code=errors.USAGE) | ModelCallRefused():
                self.finish(str(error))  # it would be the same for every other session
            case ModelCallFailed() | SiiError():
                await self._again(job, str(error))
            case _:  # a fault of ours in one session must not end a weekend's work
                await self._again(job, f"{type(error).__name__}: {error}")

    async def _again(self, job: Job, why: str) -> None:
        """Run a session again that failed by no fault of its own, unless it did so too often.

        What fails while no server answers counts against nobody. When everything fails the gate
        slows the attempts down, so that a short failure costs each of many sessions few of them.
        """
        if await self._gate.failed(why):
            self._falls[job.name] += 1
        if self._gate.hopeless and not self._running:  # the first to end are those that fail
            self.finish(why)
        falls = self._falls[job.name]
        given_up = falls > self._infra_retries
        self._watcher.fell(job, why, given_up=given_up)
        if not given_up:
            self._resting.append((time.monotonic() + REST * 2.0 ** max(0, falls - 1), job))
