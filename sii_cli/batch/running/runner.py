"""Runs the attempts of a batch: starts sessions, repeats what fails, stops when asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable

from recordings.errors import RecordingError, RecordingFull
from sandbox.protocol import SandboxError, SetupFailed
from sii_cli.batch.budget import NO_LIMIT, BatchBudget
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.running.admission import Admission
from sii_cli.batch.running.check_errors import CheckErrors
from sii_cli.batch.running.listener import BatchListener
from sii_cli.batch.running.stop import INTERRUPTED, Stop
from sii_cli.batch.runs import Account
from sii_cli.batch.sessions.executor import Executor
from sii_cli.batch.sessions.rounds import AttemptResult
from sii_cli.errors import USAGE, SiiError
from sii_cli.model.errors import ModelCallRefused

CHECK_EVERY = 0.5
"""Seconds between checks whether more may be started, while nothing ends."""
REST = 2.0
"""Seconds before a session that failed is run again; doubled with every further failure."""


class Runner:
    """Runs the attempts of a plan that have no outcome yet."""

    def __init__(
        self,
        attempts: Iterable[Attempt],
        executor: Executor,
        *,
        admission: Admission,
        listener: BatchListener,
        account: Account,
        budget: BatchBudget = NO_LIMIT,
        infra_retries: int = 3,
    ) -> None:
        self._attempts = deque(attempts)
        self._executor = executor
        self._admission = admission
        self._listener = listener
        self._account = account
        self._budget = budget
        self._infra_retries = infra_retries
        self._failures: Counter[str] = Counter()
        """By attempt; of a set-up, by query: it is the same for each attempt."""
        self._broken_setups: dict[str, str] = {}
        """Why the set-up of a query failed too often: no more of its attempts are started."""
        self._check_errors = CheckErrors()
        self._resting: list[tuple[float, Attempt]] = []
        """Attempts that failed, and when they may be run again (`time.monotonic`)."""
        self._running: dict[asyncio.Task[AttemptResult], Attempt] = {}
        self._stop: Stop | None = None
        self._error: RecordingError | None = None

    def finish(self, stop: Stop) -> None:
        """Start no more sessions; those that run continue to their end."""
        if self._stop is None:
            self._stop = stop
            self._listener.stops(stop.why)

    def abort(self) -> None:
        """End all sessions now; they are run again when the batch is resumed."""
        self.finish(INTERRUPTED)
        self._cancel()

    async def run(self) -> Stop | None:
        """Run until everything has ended, or the run was stopped; return why it was.

        Raises `RecordingFailed` when recordings cannot be kept, after all sessions have ended.
        """
        try:
            while self._running or (self._stop is None and (self._attempts or self._resting)):
                self._account.tick(served=self._admission.server_answers)
                used_up = self._budget.used_up(self._account.spent(self._listener.tokens))
                if used_up is not None:
                    self.finish(Stop("budget", f"the budget of {used_up} is used up"))
                await self._start_sessions()
                await self._wait()
        finally:
            self._cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        if self._error is not None:
            raise self._error
        return self._stop

    def _cancel(self) -> None:
        for task in self._running:
            task.cancel()

    async def _start_sessions(self) -> None:
        now = time.monotonic()
        self._attempts.extend(one for due, one in self._resting if due <= now)
        self._resting = [(due, one) for due, one in self._resting if due > now]
        while self._attempts and self._stop is None:
            refusal = await self._admission.refusal(len(self._running))
            self._listener.waits(refusal or "")
            if refusal is not None:
                return
            attempt = self._attempts.popleft()
            if (why := self._broken_setups.get(attempt.query.id)) is not None:
                self._listener.failed(attempt, why, given_up=True)
                continue
            self._listener.started(attempt)
            task = asyncio.create_task(self._executor.run(attempt, self._listener.item))
            self._running[task] = attempt

    async def _wait(self) -> None:
        if not self._running:
            await asyncio.sleep(CHECK_EVERY)
            return
        ended, _ = await asyncio.wait(
            self._running, timeout=CHECK_EVERY, return_when=asyncio.FIRST_COMPLETED
        )
        for task in ended:
            await self._receive(self._running.pop(task), task)

    async def _receive(self, attempt: Attempt, task: asyncio.Task[AttemptResult]) -> None:
        """Take the result of a session, or decide what follows from its failure."""
        if task.cancelled():
            if self._stop is None:  # cancelled by something else
                await self._run_again(attempt, "it was cancelled")
            return
        error = task.exception()
        match error:
            case None:
                result = task.result()
                if result.outcome.status == "infra":
                    await self._run_again(attempt, result.outcome.reason)
                else:
                    self._admission.succeeded()
                    self._listener.ended(attempt, result)
                    stop = self._check_errors.ended(attempt.query.id, result.outcome)
                    if stop is not None:
                        self.finish(stop)
            case RecordingFull():  # of this session alone; all others can be kept
                await self._run_again(attempt, str(error))
            case RecordingError():
                self._error = error
                self.finish(Stop("failure", str(error)))
            case SiiError(exit_code=code) if code == USAGE:
                # It would be the same for every other session.
                self.finish(Stop("failure", str(error)))
            case ModelCallRefused():
                self.finish(Stop("failure", str(error)))
            case SetupFailed():
                await self._run_again(attempt, str(error), counts_for=attempt.query.id)
            case SiiError() | SandboxError():
                await self._run_again(attempt, str(error))
            case _:  # a bug that one session hits must not end a batch of days
                await self._run_again(attempt, f"{type(error).__name__}: {error}")

    async def _run_again(self, attempt: Attempt, why: str, *, counts_for: str = "") -> None:
        """Run a session again that failed through no fault of its own, unless it did so too often.

        A failure while no server answers is not counted. When everything fails, `Admission` slows
        the attempts down, so that a short outage costs each session few of its retries.
        `counts_for`: the query whose attempts have their retries in common.
        """
        name = counts_for or attempt.name
        if await self._admission.failed(why):
            self._failures[name] += 1
        # The first sessions to end are those that fail: wait until none runs.
        if self._admission.never_worked and not self._running:
            self.finish(Stop("failure", why))
        failures = self._failures[name]
        given_up = failures > self._infra_retries
        if given_up and counts_for:
            self._broken_setups[counts_for] = why
        self._listener.failed(attempt, why, given_up=given_up)
        if not given_up:
            self._resting.append((time.monotonic() + REST * 2.0 ** max(0, failures - 1), attempt))
