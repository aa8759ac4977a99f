"""Thirty kills of a model server at random moments of sessions, by which none loses or repeats."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from recordings.events import ModelError, ModelResponse, Observation, RoundEnd, ToolCall
from recordings.storage.log import read_events
from recordings.verify import verify
from sandbox.protocol import Sandbox, SandboxSpec
from sii_cli.config.settings import Settings
from sii_cli.session.session import Session
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.killed_server import KilledServer, served

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("SII_TEST_KILLS", "30"))
STEPS = 3
ENDS_WITHIN = 60.0


class Backend:
    """Gives out sandboxes without an engine."""

    name = "fake"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self, spec: SandboxSpec) -> Sandbox:
        return FakeSandbox(self._folder)


async def stays_away(server: KilledServer, delay: float, pause: float) -> None:
    """Kill the server after so many seconds, and start it again."""
    await asyncio.sleep(delay)
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(pause)
    await asyncio.to_thread(server.start)


async def hold(session: Session) -> None:
    async for _ in session.send(f"steps={STEPS}"):
        pass


def check(recording: Path) -> list[str]:
    """Hold a recording against what is said and run without a kill; return what failed."""
    assert verify(recording).whole
    events = [event.data for event in read_events(recording)]
    said = [one for one in events if isinstance(one, ModelResponse)]
    assert [one.step for one in said] == list(range(1, STEPS + 2))
    assert all(one.complete and not one.flags for one in said)
    assert said[-1].content == "Done with round 1."
    begun = [one.call_id for one in events if isinstance(one, ToolCall)]
    assert len(begun) == len(set(begun)) == STEPS
    seen = [one.text for one in events if isinstance(one, Observation)]
    assert seen == [f"step {step} of round 1" for step in range(1, STEPS + 1)]
    assert [one.status for one in events if isinstance(one, RoundEnd)] == ["answered"]
    failed = [one for one in events if isinstance(one, ModelError)]
    assert all(one.retry_in is not None and "Traceback" not in one.message for one in failed)
    return [one.kind for one in failed]


async def test_a_killed_model_server_costs_no_step_and_runs_none_twice(tmp_path: Path) -> None:
    moments = random.Random("server")
    failures: list[list[str]] = []
    with served(faults=0.0, slow=0.01) as (server, url):
        for number in range(KILLS):
            folder = tmp_path / str(number)
            (folder / "workspace").mkdir(parents=True)
            settings = Settings(
                home=folder / "home",
                workspace=folder / "workspace",
                base_url=url,
                tools=("bash",),
                snapshots=False,
            )
            session = await Session.open(settings, mode="headless", backend=Backend(folder))
            await session.served()
            delay, pause = moments.uniform(0.0, 1.0), moments.uniform(0.0, 0.5)
            killing = asyncio.create_task(stays_away(server, delay, pause))
            started = time.monotonic()
            await asyncio.wait_for(hold(session), ENDS_WITHIN)
            await killing
            recording = session.folder
            await session.close()
            assert recording is not None
            failures.append(check(recording))
            assert time.monotonic() - started < ENDS_WITHIN
    assert sum(map(bool, failures)) > KILLS // 2, failures
