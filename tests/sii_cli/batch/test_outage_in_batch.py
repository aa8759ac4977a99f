"""A batch's session in which a tool hit an outage does not count, and is run again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Check, Event, ModelResponse, Observation, QueryOutcome
from recordings.storage.log import read_events
from sandbox.protocol import SandboxSpec
from sii_cli.batch.attempts import Attempts, read_attempts
from sii_cli.batch.plan.plan import Attempt, BatchPlan
from sii_cli.batch.report.markdown import report_markdown
from sii_cli.batch.report.report import make_report
from sii_cli.batch.running import runner
from sii_cli.batch.running.admission import Admission
from sii_cli.batch.running.progress import Progress
from sii_cli.batch.running.runner import Runner
from sii_cli.batch.runs import Account, Run
from sii_cli.batch.sessions.executor import OnItem
from sii_cli.batch.sessions.rounds import AttemptResult, run_attempt
from sii_cli.config.settings import Settings
from sii_cli.model.endpoints import Load
from sii_cli.queries.check.check import Checker
from sii_cli.queries.queries import Query
from sii_cli.session.events import QueryOrigin
from sii_cli.session.session import Session
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls
from tests.fakes.search_service import SearchService
from tests.sii_cli.scripted_sii import FakeBackend

SEARCH = calls(("web_search", '{"query": "lighthouses"}'))
QUERY = Query(id="q", query="Who shows it?", check="true")


class IdleServers:
    async def current_load(self) -> Load | None:
        return Load()


class Sessions:
    """Runs real sessions of a scripted model, one after another."""

    def __init__(self, place: Path, *script: Script) -> None:
        self.home, self.workspace = place, place / "workspace"
        self.workspace.mkdir()
        self.script = script
        self.models: list[ScriptedModel] = []
        self.seen: list[Any] = []

    async def run(self, attempt: Attempt, on_item: OnItem) -> AttemptResult:
        self.models.append(ScriptedModel(*self.script))
        session = await Session.open(
            Settings(
                home=self.home,
                workspace=self.workspace,
                snapshots=False,
                search_provider="searxng",
                searxng_url="http://s.test",
            ),
            mode="batch",
            model=self.models[-1],
            backend=FakeBackend(),
            about=QueryOrigin(query=attempt.query.id, batch="night", attempt=1),
        )
        try:
            checker = Checker("true", (), FakeBackend(), SandboxSpec(self.workspace), Path)
            return await run_attempt(
                attempt, session, checker, on_item=lambda item: on_item(attempt, item)
            )
        finally:
            await session.close()

    async def aclose(self) -> None:
        pass


@pytest.fixture(autouse=True)
def without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_EVERY", 0.01)
    monkeypatch.setattr(runner, "REST", 0.01)


def service(monkeypatch: pytest.MonkeyPatch, down: int) -> None:
    one = SearchService(down)
    monkeypatch.setattr("tools.registry.make_provider", lambda settings: one)


async def run(sessions: Sessions, *attempts: Attempt) -> Progress:
    progress = Progress(len(attempts), Attempts())
    running = Runner(
        attempts,
        sessions,
        admission=Admission(1, IdleServers()),
        listener=progress,
        account=Account(Run(time.time())),
    )
    await running.run()
    return progress


async def test_it_is_run_again_and_the_report_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(monkeypatch, down=1)
    sessions = Sessions(tmp_path, SEARCH, answer("Nobody does."))
    attempt = Attempt(QUERY, 1)
    progress = await run(sessions, attempt)
    assert (progress.outcomes, progress.failures) == ({"solved": 1}, 1)
    outcomes = read_attempts(tmp_path, "night", [attempt])
    assert (len(outcomes.ended), len(outcomes.infra)) == (1, 1)
    plan = BatchPlan("night", "", "", "", 1, {}, 0, None, {})
    text = report_markdown(make_report(plan, [QUERY], outcomes, []))
    assert "1 ended by the infrastructure" in text
    assert "| infra | tool_infra: web_search: The search failed. No search engine answered" in text


async def test_it_ends_where_the_outage_was_and_no_check_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(monkeypatch, down=99)
    sessions = Sessions(tmp_path, SEARCH, [0.5, *answer("Smith et al. show it.")])
    result = await sessions.run(Attempt(QUERY, 1), lambda attempt, item: None)
    assert result.outcome == QueryOutcome(status="infra", reason=result.outcome.reason)
    assert result.outcome.reason.startswith("tool_infra: web_search: The search failed.")
    [folder] = (tmp_path / "recordings").iterdir()
    events = [event.data for event in read_events(folder)]
    assert not [data for data in events if isinstance(data, Check)]
    assert len([data for data in events if isinstance(data, ModelResponse)]) == 1


async def test_calls_beside_it_are_ended_with_words_that_are_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(monkeypatch, down=99)

    class Slow:
        async def fetch(self, url: str) -> Any:
            await asyncio.sleep(30)

    monkeypatch.setattr("tools.registry.Fetcher", Slow)
    both = calls(
        ("web_search", '{"query": "x"}'), ("web_fetch", json.dumps({"url": "http://s.test/"}))
    )
    sessions = Sessions(tmp_path, both)
    seen: list[Observation] = []

    def watch(attempt: Attempt, item: Any) -> None:
        if isinstance(item, Event) and isinstance(item.data, Observation):
            seen.append(item.data)

    result = await asyncio.wait_for(sessions.run(Attempt(QUERY, 1), watch), 20)
    assert result.outcome.status == "infra"
    assert [one.error for one in seen] == ["tool_infra", "interrupted"]
    assert seen[1].text.endswith("s: the session was ended here.")


async def test_one_that_is_always_down_is_given_up_and_never_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(monkeypatch, down=99)
    sessions = Sessions(tmp_path, SEARCH, answer("Smith et al. show it."))
    progress = await run(sessions, Attempt(QUERY, 1))
    assert (progress.done, len(sessions.models)) == (0, 4)
    assert "No search engine answered" in progress.last_failures["q#1"]
