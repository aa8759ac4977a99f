"""The runner tells a bad beginning from a machine on which nothing works."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from recordings.errors import RecordingFailed, RecordingFull
from recordings.events import QueryOutcome
from sii_cli.batch.attempts import Attempts
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.running import admission as admission
from sii_cli.batch.running import runner
from sii_cli.batch.running.admission import FAILURES_IN_A_ROW, Admission
from sii_cli.batch.running.progress import Progress
from sii_cli.batch.running.runner import Runner
from sii_cli.batch.running.stop import Stop
from sii_cli.batch.runs import Account, Run
from sii_cli.batch.sessions.executor import OnItem
from sii_cli.batch.sessions.rounds import AttemptResult
from sii_cli.errors import SiiError
from sii_cli.model.endpoints import Load
from sii_cli.queries.queries import Query


@pytest.fixture(autouse=True)
def without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_EVERY", 0.01)
    monkeypatch.setattr(runner, "REST", 0.01)
    monkeypatch.setattr(admission, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(admission, "LONGEST_PAUSE", 0.02)


DOWN = SiiError("The engine answers with an error.")
JOBS = [Attempt(Query(id=f"q{n}", query="x"), 1) for n in range(20)]


class IdleServers:
    async def current_load(self) -> Load | None:
        return Load()


class FakeExecutor:
    """Sessions end well after a while; the first attempts of some fail at once."""

    def __init__(self, failing: int, *, times: int = 1, error: Exception = DOWN) -> None:
        self._failing = failing
        self._times = times
        self._error = error
        self.attempts: Counter[str] = Counter()

    async def run(self, attempt: Attempt, on_item: OnItem) -> AttemptResult:
        self.attempts[attempt.name] += 1
        if int(attempt.query.id[1:]) < self._failing and self.attempts[attempt.name] <= self._times:
            raise self._error
        await asyncio.sleep(0.1)
        return AttemptResult(QueryOutcome(status="answered"), "a-session")

    async def aclose(self) -> None:
        pass


async def run(executor: FakeExecutor) -> tuple[Stop | None, Progress]:
    progress = Progress(len(JOBS), Attempts())
    running = Runner(
        JOBS,
        executor,
        admission=Admission(len(JOBS), IdleServers()),
        listener=progress,
        account=Account(Run(time.time())),
    )
    return await running.run(), progress


async def test_failures_that_come_before_the_first_success_do_not_end_the_batch() -> None:
    executor = FakeExecutor(failing=FAILURES_IN_A_ROW + 1)
    stop, progress = await run(executor)
    assert stop is None
    assert progress.done == len(JOBS)
    assert executor.attempts.total() == len(JOBS) + FAILURES_IN_A_ROW + 1


async def test_when_everything_that_was_started_has_failed_the_batch_ends_with_the_reason() -> None:
    stop, progress = await run(FakeExecutor(failing=len(JOBS)))
    assert stop == Stop("failure", "The engine answers with an error.")
    assert progress.done == 0
    assert progress.notice == "No more sessions are started: The engine answers with an error."


async def test_sessions_that_never_work_are_given_up_and_do_not_keep_the_batch_from_its_end() -> (
    None
):
    executor = FakeExecutor(failing=2, times=99)
    stop, progress = await run(executor)
    assert stop is None
    assert progress.done == len(JOBS) - 2
    assert progress.last_failures == dict.fromkeys(
        ("q0#1", "q1#1"), "The engine answers with an error."
    )
    assert executor.attempts["q0#1"] == executor.attempts["q1#1"] == 4


async def test_a_session_that_is_too_large_to_be_recorded_does_not_end_the_batch() -> None:
    executor = FakeExecutor(failing=1, times=99, error=RecordingFull("An event is too long."))
    stop, progress = await run(executor)
    assert stop is None
    assert progress.done == len(JOBS) - 1
    assert progress.last_failures == {"q0#1": "An event is too long."}


async def test_a_disk_that_cannot_keep_recordings_ends_the_batch() -> None:
    with pytest.raises(RecordingFailed, match="free some space"):
        await run(FakeExecutor(failing=1, error=RecordingFailed("Full: free some space.")))
