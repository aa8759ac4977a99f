"""Background jobs: what a model reads of them, and when."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.protocol import Job, JobOutput
from tests.fakes.fake_sandbox import FakeSandbox
from tools.base import ToolResult
from tools.command_text import job_result, job_state
from tools.registry import TOOL_NAMES
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings


class Session:
    """Calls of tools in a sandbox that has jobs."""

    def __init__(self, sandbox: FakeSandbox) -> None:
        self.sandbox = sandbox
        self._toolbox = Toolbox(TOOL_NAMES, sandbox.provide, WebSettings())

    async def call(self, name: str, **arguments: object) -> ToolResult:
        return await self._toolbox.call(name, json.dumps(arguments), lambda output: None)

    async def start(self, command: str) -> ToolResult:
        return await self.call("bash", command=command, background=True)


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    sandbox = FakeSandbox(tmp_path)
    yield Session(sandbox)
    await sandbox.close()


async def test_a_job_runs_beside_other_calls(session: Session) -> None:
    assert (await session.start("echo up; sleep 60")).text == "Started job 1."
    assert (await session.call("bash", command="echo meanwhile")).text == "meanwhile"
    listed = await session.call("jobs", action="list")
    assert listed.text == "[job 1 has been running for 0 s: echo up; sleep 60]"
    stopped = await session.call("jobs", action="stop", id=1)
    assert stopped.text == "up\n[job 1 was stopped: echo up; sleep 60]"
    assert (await session.call("bash", command="echo next")).text == "next"


async def test_only_new_output_is_read(session: Session) -> None:
    await session.start("echo one; read -t 60 line < <(sleep 60)")
    first = await session.call("jobs", action="wait", id=1, timeout=1)
    assert first.text.startswith("one\n[job 1 has been running for ")
    assert first.error is None
    again = await session.call("jobs", action="read", id=1)
    assert again.text.startswith("(no new output)\n[job 1 has been running")


async def test_the_end_of_a_job_is_told_once_by_whatever_tool_comes_next(session: Session) -> None:
    await session.start("exit 3")
    await session.sandbox.until_ended(1)
    told = await session.call("todo", todos=[])
    assert told.text == "The list is empty.\n[job 1 ended with exit code 3: exit 3]"
    assert (await session.call("todo", todos=[])).text == "The list is empty."


async def test_a_call_that_went_wrong_tells_it_too(session: Session) -> None:
    await session.start("true")
    await session.sandbox.until_ended(1)
    refused = await session.call("read_file", path="missing")
    assert refused.text.endswith("\n[job 1 ended with exit code 0: true]")
    assert refused.error == "not_found"


@pytest.mark.parametrize("arguments", [{"action": "list"}, {"action": "read", "id": 1}])
async def test_what_a_call_says_of_an_end_is_not_said_twice(
    session: Session, arguments: dict[str, Any]
) -> None:
    await session.start("true")
    await session.sandbox.until_ended(1)
    assert (await session.call("jobs", **arguments)).text.count("[job 1 ended") == 1


async def test_waiting_returns_output_and_end(session: Session) -> None:
    await session.start("sleep 0.2; echo built; exit 1")
    waited = await session.call("jobs", action="wait", id=1)
    assert waited.text == "built\n[job 1 ended with exit code 1: sleep 0.2; echo built; exit 1]"
    assert waited.exit_code == 1


async def test_a_job_that_there_is_not(session: Session) -> None:
    assert (await session.call("jobs", action="list")).text == "There are no jobs."
    unknown = await session.call("jobs", action="stop", id=7)
    assert (unknown.error, unknown.text) == ("unknown_job", "There is no job 7; known are: none.")
    assert (await session.call("jobs", action="read")).error == "bad_arguments"


def job(command: str = "make", **how: Any) -> Job:
    return Job(1, command, **{"running": False, "seconds": 1.0, **how})


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (job(exit_code=0), "[job 1 ended with exit code 0: make]"),
        (job(signal=11), "[job 1 was killed by signal 11 (SIGSEGV): make]"),
        (job(signal=15, stopped=True), "[job 1 was stopped: make]"),
        (job("a\nb", exit_code=0), "[job 1 ended with exit code 0: a ...]"),
        (job("\x1b[2J", exit_code=0), "[job 1 ended with exit code 0: \\x1b[2J]"),
        (
            job("x" * 150, exit_code=0),
            f"[job 1 ended with exit code 0: {'x' * 100} [... 50 more bytes in this line]]",
        ),
    ],
)
def test_a_job_in_words(one: Job, said: str) -> None:
    assert job_state(one) == said


async def test_a_long_list_names_what_runs_and_what_ended_last(session: Session) -> None:
    await session.start("sleep 60")
    for number in range(60):
        await session.start(f"exit {number}")
        await session.call("jobs", action="wait", id=number + 2)
    rows = (await session.call("jobs", action="list")).text.splitlines()
    assert len(rows) == 52
    assert rows[0] == "[10 earlier jobs left out]"
    assert rows[1].startswith("[job 1 has been running")
    assert rows[-1] == "[job 61 ended with exit code 59: exit 59]"


def test_output_that_came_too_fast_is_counted() -> None:
    result = job_result(JobOutput(b"last\n", 5000, job(exit_code=0)))
    assert result.text.startswith("[... 5,000 bytes ")
    assert "\nlast\n[job 1 ended" in result.text
    assert result.cut is not None
    assert result.cut.bytes == 5000
