"""The progress of a running batch: counts and speeds, for a table or for lines."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from recordings.events import Event, ModelResponse, Observation
from recordings.outcomes import outcome_of
from sii_cli.agent.event_channel import Item
from sii_cli.batch.attempts import Attempts
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.running.admission import FULL
from sii_cli.batch.sessions.rounds import AttemptResult

WINDOW = 300.0
"""Seconds over which speeds are averaged."""
LAST_ERRORS = 3


@dataclass(slots=True)
class RunningSession:
    """A session that runs."""

    attempt: Attempt
    began: float
    steps: int = 0
    tokens: int = 0


@dataclass(slots=True)
class _Speed:
    """How much of something there was per second, over the last `WINDOW` seconds."""

    clock: Callable[[], float]
    began: float
    seen: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, count: int) -> None:
        self.seen.append((self.clock(), count))
        self.total += count

    def per_second(self) -> float:
        now = self.clock()
        while self.seen and self.seen[0][0] < now - WINDOW:
            self.total -= self.seen.popleft()[1]
        return self.total / max(1.0, min(WINDOW, now - self.began))


class Progress:
    """Counts what happens in a batch (a `BatchListener`)."""

    def __init__(
        self,
        total: int,
        before: Attempts,
        *,
        clock: Callable[[], float] = time.monotonic,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`total`: all attempts of the plan. `notify` receives a line for each notable thing."""
        self.total = total
        self.outcomes: Counter[str] = Counter(
            summary.outcome for summary in before.ended.values() if summary.outcome
        )
        if before.waiting:
            self.outcomes["parked"] = len(before.waiting)
        self.tokens = 0
        self.failures = 0
        self.last_failures: dict[str, str] = {}
        """Why attempts failed in this run, of those that have no outcome since."""
        self.waiting_for = ""
        self.notice = ""
        """A sentence for the user, shown for as long as the run lasts."""
        self.running: dict[str, RunningSession] = {}
        self.last_errors: deque[str] = deque(maxlen=LAST_ERRORS)
        self._clock = clock
        self._notify = notify
        self._began = clock()
        self.token_speed = _Speed(clock, self._began)
        self.step_speed = _Speed(clock, self._began)
        self.session_speed = _Speed(clock, self._began)

    @property
    def done(self) -> int:
        """Sessions that came to an outcome."""
        return self.outcomes.total()

    @property
    def seconds(self) -> float:
        """Since this run began."""
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float | None:
        """An estimate by the speed so far; None before a session has ended."""
        speed = self.session_speed.per_second()
        return (self.total - self.done) / speed if speed else None

    def slowest(self, count: int) -> list[RunningSession]:
        """Return the sessions that have run the longest."""
        return sorted(self.running.values(), key=lambda live: live.began)[:count]

    def started(self, attempt: Attempt) -> None:
        """Count a session that begins."""
        self.running[attempt.name] = RunningSession(attempt, self._clock())

    def item(self, attempt: Attempt, item: Item) -> None:
        """Count what happens in a session."""
        if not isinstance(item, Event):  # thousands of streamed pieces a second
            return
        match item.data:
            case ModelResponse() as response:
                live = self.running[attempt.name]
                tokens = response.usage.completion_tokens if response.usage else 0
                live.steps += 1
                live.tokens += tokens
                self.tokens += tokens
                self.step_speed.add(1)
                self.token_speed.add(tokens)
            case Observation(error="sandbox_lost" | "tool_infra" as error):
                self.last_errors.append(f"{attempt.name}: {error}")

    def ended(self, attempt: Attempt, result: AttemptResult) -> None:
        """Count an outcome."""
        live = self.running.pop(attempt.name)
        self.last_failures.pop(attempt.name, None)
        status, reason = outcome_of(result.outcome.status), result.outcome.reason
        status = "parked" if result.is_parked else status
        self.outcomes[status] += 1
        self.session_speed.add(1)
        why = f" ({reason})" if reason else ""
        seconds = self._clock() - live.began
        self._notify(
            f"{self.done}/{self.total} {attempt.name}: {status}{why}, {live.steps} steps, "
            f"{live.tokens} tokens, {seconds:.0f} s, {result.session}"
        )

    def failed(self, attempt: Attempt, why: str, *, given_up: bool) -> None:
        """Count a failure that is not the session's own."""
        self.running.pop(attempt.name, None)
        self.failures += 1
        self.last_failures[attempt.name] = why
        self.last_errors.append(f"{attempt.name}: {why}")
        then = "given up for now" if given_up else "run again later"
        self._notify(f"{attempt.name}: infra ({why}), {then}")

    def waits(self, why: str) -> None:
        """Note why no session is started for now; an empty reason: sessions are started again."""
        why = "" if why == FULL else why
        if why and why != self.waiting_for:
            self._notify(f"No session is started: {why}.")
        self.waiting_for = why

    def stops(self, why: str) -> None:
        """Note why no more sessions are started."""
        self.waiting_for = ""
        self.notify(f"No more sessions are started: {why.rstrip('.')}.")

    def notify(self, notice: str) -> None:
        """Show a sentence to the user for as long as the run lasts."""
        self.notice = notice
        self._notify(notice)
