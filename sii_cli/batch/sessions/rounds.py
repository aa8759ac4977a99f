"""The rounds of one attempt, from the query's first message to the outcome."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import asdict
from typing import Literal, NamedTuple

from recordings.conversation.outages import TOOL_INFRA
from recordings.conversation.parking import Parking
from recordings.errors import RecordingError
from recordings.events import (
    Check,
    Event,
    ModelError,
    ModelResponse,
    NetworkRequest,
    Observation,
    Origin,
    Parked,
    QueryOutcome,
    QueryStatus,
    RoundEnd,
)
from sandbox.protocol import NetworkUse, SandboxError
from sii_cli.agent.event_channel import Item
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.feedback import (
    AnsweredRound,
    CheckFeedback,
    FeedbackSource,
    PersonFeedback,
    asks_for_feedback,
)
from sii_cli.model.errors import ModelCallFailed
from sii_cli.queries.check.check import CHECK_SECONDS, Checker
from sii_cli.session.session import Session

_LONGEST_REASON = 500
"""Characters of an outage, or of what a check said, in the outcome's reason."""

CHECK = "check"
"""Recorded in place of the id of a check's sandbox."""


class AttemptResult(NamedTuple):
    """How a session ended, and where it is recorded."""

    outcome: QueryOutcome
    session: str | None
    is_parked: bool = False
    """Whether it waits for a person; the outcome is the one that it has if nothing follows."""


async def run_attempt(
    attempt: Attempt,
    session: Session,
    checker: Checker | None,
    *,
    source: FeedbackSource | None = None,
    asked_by: Literal["query", "annotator"] = "query",
    on_item: Callable[[Item], None] = lambda item: None,
) -> AttemptResult:
    """Run an attempt in an open session; record the outcome and return it.

    `checker` is None for a query without a check, `source` where no feedback follows. `asked_by`:
    who wrote the first message, a reviewer where the session was sent back. The caller
    closes the session. One that waits for a person's feedback is parked instead.
    Raises `ModelCallFailed` when no server can be used, and `RecordingFailed`.
    """
    source = source or CheckFeedback(0)
    rounds = _Rounds(attempt, session, checker, source, on_item)
    try:
        with rounds.timed():
            outcome = await rounds.run(asked_by)
    except (SandboxError, ModelCallFailed) as error:
        if session.id is None:  # nothing was recorded
            raise
        outcome = QueryOutcome(status="infra", reason=str(error))
    if source.parks and rounds.continues and outcome.status != "infra":
        _park(session, outcome)
        return AttemptResult(outcome, session.id, is_parked=True)
    session.note(outcome, "harness")
    return AttemptResult(outcome, session.id)


async def continue_attempt(
    attempt: Attempt,
    session: Session,
    checker: Checker | None,
    parking: Parking,
    *,
    on_item: Callable[[Item], None] = lambda item: None,
) -> QueryOutcome | None:
    """Continue a parked session with the reply that it has, until it is parked again.

    Only a person ends such a session, however a round ends. Return the outcome that it has if
    nothing follows, or `None` when it was suspended before. Raises as `run_attempt` does, and
    `UsageError` when another process has continued it.
    """
    rounds = _Rounds(attempt, session, checker, PersonFeedback(), on_item)
    try:
        with rounds.timed():
            outcome = await rounds.run_reply(parking)
    except (SandboxError, ModelCallFailed) as error:
        if not session.can_interrupt:  # nothing was recorded
            raise
        outcome = QueryOutcome(status="infra", reason=str(error))
    if outcome is None:
        return None
    if outcome.status == "infra":  # an attempt with this outcome would be run again, without them
        outcome = outcome.model_copy(update={"status": "failed"})
    _park(session, outcome)
    return outcome


def _park(session: Session, outcome: QueryOutcome) -> None:
    session.note(Parked.model_validate(outcome.model_dump()), "harness")
    session.park()


class _Rounds:
    """The rounds of one session: the query, its followups, then feedback on a failed check."""

    def __init__(
        self,
        attempt: Attempt,
        session: Session,
        checker: Checker | None,
        source: FeedbackSource,
        on_item: Callable[[Item], None],
    ) -> None:
        self._query = attempt.query
        self._session = session
        self._checker = checker
        self._source = source
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

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Stop the session when its time is over."""
        seconds = self._query.limits.seconds
        if seconds is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(seconds, self.stop, "seconds")
        try:
            yield
        finally:
            timer.cancel()

    def stop(self, limit: str) -> None:
        """End the session: it has reached a limit."""
        self._stopped_by = limit
        self._session.interrupt("harness")

    async def run(self, asked_by: Origin) -> QueryOutcome:
        """Run to the end. A session that hit an outage ends there, to be run again."""
        return self._unless_outage(await self._run(asked_by))

    async def run_reply(self, parking: Parking) -> QueryOutcome | None:
        """Continue the session where it stands; `None`: it was suspended within a round.

        Raises `UsageError` when another process has continued it.
        """
        usage = parking.end.usage if parking.end is not None else None
        self._generated = usage.completion_tokens if usage is not None else 0
        replies = parking.replies + (parking.reply is not None)
        if parking.stage == "answered":
            await self._session.resume()
            self._end = parking.round_end or self._end
            check = await self._check_round() if self.continues else None
        else:
            replied = parking.stage == "replied"
            session = self._session
            check = await self._round(session.send_waiting() if replied else session.resume_round())
            if self._end.round == 0:  # no end of a round came
                return None
        ended = await self._go_on(check, replies) if self.continues else self._ended(replies)
        return self._unless_outage(ended)

    def _unless_outage(self, outcome: QueryOutcome) -> QueryOutcome:
        if self._outage is None:
            return outcome
        why = f"{TOOL_INFRA}: {self._outage.name}: {self._outage.text}"
        return QueryOutcome(status="infra", reason=why[:_LONGEST_REASON])

    async def _run(self, asked_by: Origin) -> QueryOutcome:
        check: Check | None = None
        for number, message in enumerate((self._query.query, *self._query.followups)):
            origin: Origin = "query" if number else asked_by
            check = await self._round(self._session.send(message, origin))
            if not self.continues:
                return self._ended(0)
        return await self._go_on(check, 0)

    async def _go_on(self, check: Check | None, feedback: int) -> QueryOutcome:
        """Run the rounds that feedback opens; `feedback`: how many it has opened."""
        while said := await self._source.after(
            AnsweredRound(self._query, self._answer, check, feedback)
        ):
            feedback += 1
            if said.said is not None:
                self._session.note(said.said, "query")
            check = await self._round(self._session.send(said.text, "query"))
            if not self.continues:
                return self._ended(feedback)
            if not self._calls and asks_for_feedback(check):
                reason = "it answered without another call, and the check still fails"
                return QueryOutcome(
                    status="gave_up",
                    reason=reason,
                    feedback_rounds=feedback,
                    score=check.score,
                )
        return _judged(check, feedback)

    @property
    def continues(self) -> bool:
        """Whether the last round was answered, and nothing has stopped the session."""
        return self._end.status == "answered" and not (self._stopped_by or self._outage)

    async def _round(self, happening: AsyncGenerator[Item, None]) -> Check | None:
        """Run a round, then the check, if there is one and the session continues."""
        self._calls = 0
        async with aclosing(happening) as items:
            async for item in items:
                self._receive(item)
                if self._stopped_by or self._outage:  # perhaps before the round began
                    self._session.interrupt("harness")
                self._on_item(item)
        return await self._check_round() if self.continues else None

    async def _check_round(self) -> Check | None:
        if self._checker is None:
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
