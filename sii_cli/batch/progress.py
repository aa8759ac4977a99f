"""How a running batch stands: counted as it happens, for a table or for lines."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from recordings.events import Event, ModelResponse, Observation
from sii_cli.agent.wire import Item
from sii_cli.batch.gate import FULL
from sii_cli.batch.job import Result
from sii_cli.batch.outcomes import Outcomes
from sii_cli.batch.plan import Job

WINDOW = 300.0
"""Seconds over which speeds are averaged."""
LAST_ERRORS = 3


@dataclass(slots=True)
class Live:
    """A session that runs."""

    job: Job
    began: float
    steps: int = 0
    tokens: int = 0


@dataclass(slots=True)
class _Speed:
    """How much of something there is in a second, lately."""

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
    """Takes account of what the runner tells."""

    def __init__(
        self,
        total: int,
        before: Outcomes,
        *,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`total` counts all jobs of the plan; `tell` is given a line for everything notable."""
        self.total = total
        self.statuses: Counter[str] = Counter(
            summary.outcome for summary in before.ended.values() if summary.outcome
        )
        self.tokens = 0
        self.falls = 0
        self.fallen: dict[str, str] = {}
        """Jobs that failed in this run and have come to no outcome since, and why."""
        self.waiting_for = ""
        self.notice = ""
        """What whoever looks on should know now."""
        self.running: dict[str, Live] = {}
        self.last_errors: deque[str] = deque(maxlen=LAST_ERRORS)
        self._clock = clock
        self._tell = tell
        self._began = clock()
        self.token_speed = _Speed(clock, self._began)
        self.step_speed = _Speed(clock, self._began)
        self.session_speed = _Speed(clock, self._began)

    @property
    def done(self) -> int:
        """Sessions that came to an outcome."""
        return self.statuses.total()

    @property
    def seconds(self) -> float:
        """Since this run began."""
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float | None:
        """An estimate by the speed so far; none before any session has ended."""
        speed = self.session_speed.per_second()
        return (self.total - self.done) / speed if speed else None

    def slowest(self, count: int) -> list[Live]:
        """Return the sessions that have run the longest."""
        return sorted(self.running.values(), key=lambda live: live.began)[:count]

    def started(self, job: Job) -> None:
        """A session begins."""
        self.running[job.name] = Live(job, self._clock())

    def item(self, job: Job, item: Item) -> None:
        """Something happens in it."""
        if not isinstance(item, Event):  # thousands of streamed pieces a second
            return
        match item.data:
            case ModelResponse() as response:
                live = self.running[job.name]
                tokens = response.usage.completion_tokens if response.usage else 0
                live.steps += 1
                live.tokens += tokens
                self.tokens += tokens
                self.step_speed.add(1)
                self.token_speed.add(tokens)
            case Observation(error="sandbox_lost" | "tool_infra" as error):
                self.last_errors.append(f"{job.name}: {error}")

    def ended(self, job: Job, result: Result) -> None:
        """It came to an outcome."""
        live = self.running.pop(job.name)
        self.fallen.pop(job.name, None)
        outcome = result.outcome
        self.statuses[outcome.status] += 1
        self.session_speed.add(1)
        why = f" ({outcome.reason})" if outcome.reason else ""
        seconds = self._clock() - live.began
        self._tell(
            f"{self.done}/{self.total} {job.name}: {outcome.status}{why}, {live.steps} steps, "
            f"{live.tokens} tokens, {seconds:.0f} s, {result.session}"
        )

    def fell(self, job: Job, why: str, *, given_up: bool) -> None:
        """It failed by no fault of its own."""
        self.running.pop(job.name, None)
        self.falls += 1
        self.fallen[job.name] = why
        self.last_errors.append(f"{job.name}: {why}")
        then = "given up for now" if given_up else "run again later"
        self._tell(f"{job.name}: infra ({why}), {then}")

    def waits(self, why: str) -> None:
        """No session is started now; empty: they are again."""
        why = "" if why == FULL else why
        if why and why != self.waiting_for:
            self._tell(f"No session is started: {why}.")
        self.waiting_for = why

    def stops(self, why: str) -> None:
        """No session is started any more."""
        self.waiting_for = ""
        self.says(f"No more sessions are started: {why.rstrip('.')}.")

    def says(self, notice: str) -> None:
        """Tell whoever looks on something, for as long as the run lasts."""
        self.notice = notice
        self._tell(notice)
