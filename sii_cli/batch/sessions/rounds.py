"""The rounds of one attempt, from the query's first message to the outcome."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import NamedTuple, TypeGuard

from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import RecordingError
from recordings.events import (
    Check,
    Event,
    ModelError,
    ModelResponse,
    NetworkRequest,
    Observation,
    QueryOutcome,
    QueryStatus,
    RoundEnd,
)
from sandbox.protocol import NetworkUse, SandboxError
from sii_cli.agent.event_channel import Item
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.simulated_user import UserSimulator
from sii_cli.model.errors import ModelCallFailed
from sii_cli.queries.check.check import CHECK_SECONDS, Checker
from sii_cli.session.session import Session

_LONGEST_REASON = 500
"""Characters of an outage, or of what a check said, in the outcome's reason."""

FEEDBACK = """\
The task is not done yet: a check of the result failed. It printed:

{output}

Go on until it is done."""

CHECK = "check"
"""Recorded in place of the id of a check's sandbox."""


class AttemptResult(NamedTuple):
    """How a session ended, and where it is recorded."""

    outcome: QueryOutcome
    session: str | None


async def run_attempt(
    attempt: Attempt,
    session: Session,
    checker: Checker | None,
    *,
    feedback_rounds: int = 0,
    simulator: UserSimulator | None = None,
    on_item: Callable[[Item], None] = lambda item: None,
) -> AttemptResult:
    """Run an attempt in an open session; record the outcome and return it.

    `checker` is None for a query without a check. The caller closes the session.
    Raises `ModelCallFailed` when no server can be used, and `RecordingFailed`.
    """
    rounds = _Rounds(attempt, session, checker, feedback_rounds, simulator, on_item)
    timer = None
    if attempt.query.limits.seconds is not None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(attempt.query.limits.seconds, rounds.stop, "seconds")
    try:
        outcome = await rounds.run()
    except (SandboxError, ModelCallFailed) as error:
        if session.id is None:  # nothing was recorded
            raise
        outcome = QueryOutcome(status="infra", reason=str(error))
    finally:
        if timer is not None:
            timer.cancel()
    session.note(outcome, "harness")
    return AttemptResult(outcome, session.id)


class _Rounds:
    """The rounds of one session: the query, its followups, then feedback on a failed check."""

    def __init__(
        self,
        attempt: Attempt,
        session: Session,
        checker: Checker | None,
        feedback_rounds: int,
        simulator: UserSimulator | None,
        on_item: Callable[[Item], None],
    ) -> None:
        self._query = attempt.query
        self._session = session
        self._checker = checker
        self._feedback_rounds = feedback_rounds
        self._simulator = simulator
        self._on_item = on_item
        self._stopped_by = ""
        """Name of the limit that ended the session."""
        seconds = attempt.query.limits.seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._generated = 0
        """Tokens."""
        self._calls = 0
        """Of the round."""
        self._refused = False
        """The server refused the last request."""
        self._outage: Observation | None = None
        """A call that failed for a reason of the installation: the session does not count."""
        self._end = RoundEnd(round=0, status="failed", steps=0)
        self._answer = ""

    def stop(self, limit: str) -> None:
        """End the session: it has reached a limit."""
        self._stopped_by = limit
        self._session.interrupt("harness")

    async def run(self) -> QueryOutcome:
        """Run to the end. A session that hit an outage ends there, to be run again."""
        outcome = await self._run()
        if self._outage is None:
            return outcome
        why = f"{TOOL_INFRA}: {self._outage.name}: {self._outage.text}"
        return QueryOutcome(status="infra", reason=why[:_LONGEST_REASON])

    async def _run(self) -> QueryOutcome:
        check: Check | None = None
        for message in (self._query.query, *self._query.followups):
            check = await self._round(message)
            if not self._continues:
                return self._ended(0)
        feedback = 0
        while _asks_for_feedback(check) and feedback < self._feedback_rounds:
            feedback += 1
            check = await self._round(await self._feedback_on(check))
            if not self._continues:
                return self._ended(feedback)
            if not self._calls and _asks_for_feedback(check):
                reason = "it answered without another call, and the check still fails"
                return QueryOutcome(
                    status="gave_up",
                    reason=reason,
                    feedback_rounds=feedback,
                    score=check.score,
                )
        return _judged(check, feedback)

    @property
    def _continues(self) -> bool:
        return self._end.status == "answered" and not (self._stopped_by or self._outage)

    async def _round(self, message: str) -> Check | None:
        """Run a round, then the check, if there is one and the session continues."""
        self._calls = 0
        async with aclosing(self._session.send(message, "query")) as items:
            async for item in items:
                self._receive(item)
                if self._stopped_by or self._outage:  # perhaps before the round began
                    self._session.interrupt("harness")
                self._on_item(item)
        if not self._continues or self._checker is None:
            return None
        check = await self._check(self._checker)
        self._session.note(check, "harness")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.stop("seconds")  # the check has used up what was left
        return check

    def _receive(self, item: Item) -> None:
        match item:
            case Event(data=ModelResponse() as response):
                self._refused = False
                self._calls += len(response.calls)
                self._answer = response.content or ""
                self._generated += response.usage.completion_tokens if response.usage else 0
                if self._generated >= (self._query.limits.tokens or math.inf):
                    self.stop("tokens")
            case Event(data=Observation(error=kind) as observation) if kind == TOOL_INFRA:
                self._outage = self._outage or observation
            case Event(data=ModelError(status=status)):
                self._refused = status is not None and 400 <= status < 500 and status != 429
            case Event(data=RoundEnd() as end):
                self._end = end

    async def _check(self, checker: Checker) -> Check:
        """Run the query's check, for no longer than the session may take."""
        left = CHECK_SECONDS
        if self._deadline is not None:
            left = max(0.0, min(left, self._deadline - time.monotonic()))
        async with self._session.frozen_sandbox():  # a job that waits for the check must not act
            return await checker.run(self._end.round, seconds=left, on_network_use=self._record_use)

    def _record_use(self, use: NetworkUse) -> None:
        with suppress(RecordingError):  # the check's own event fails, too, and that is reported
            self._session.note(NetworkRequest(sandbox_id=CHECK, **asdict(use)), "harness")

    async def _feedback_on(self, check: Check) -> str:
        if self._simulator is not None:
            said = await self._simulator.reply(self._query, self._answer, check)
            self._session.note(said, "query")
            if said.reply:
                return said.reply
        return FEEDBACK.format(output=check.output.strip() or "(it printed nothing)")

    def _ended(self, feedback: int) -> QueryOutcome:
        """Return the outcome of a session that a round's end, or a limit, has ended."""
        if self._stopped_by:
            return QueryOutcome(status="limit", reason=self._stopped_by, feedback_rounds=feedback)
        status: QueryStatus
        if self._refused:
            status = "refused"
        elif self._end.status == "interrupted":
            status = "limit"  # only a limit interrupts a round of a batch
        else:
            status = self._end.status
        return QueryOutcome(status=status, reason=self._end.reason, feedback_rounds=feedback)


def _asks_for_feedback(check: Check | None) -> TypeGuard[Check]:
    """Tell whether a check ran and failed."""
    return check is not None and check.error is None and not check.passed


def _judged(check: Check | None, feedback: int) -> QueryOutcome:
    """Return the outcome of a session whose every round was answered."""
    if check is None:
        return QueryOutcome(status="answered", feedback_rounds=feedback)
    if check.error is not None:
        why = f"the check could not run: {check.error}"
        return QueryOutcome(
            status="check_error", reason=why[:_LONGEST_REASON], feedback_rounds=feedback
        )
    return QueryOutcome(
        status="solved" if check.passed else "unsolved",
        reason="" if check.passed else _why_unsolved(check),
        feedback_rounds=feedback,
        score=check.score,
    )


def _why_unsolved(check: Check) -> str:
    if check.exit_code is None:
        return "the check was stopped"
    if check.score is not None:
        return f"the check failed (score {check.score:.2f}, exit code {check.exit_code})"
    return f"the check failed (exit code {check.exit_code})"
