"""The engine is killed under a session: it is said, nothing hangs, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Event, Observation, RoundEnd, ToolCall
from sii_cli.config.settings import Settings
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.sandbox.private_engine import PrivateEngine, engine

__all__ = ["engine"]
pytestmark = [pytest.mark.docker, pytest.mark.slow]

SECONDS = 611_000 + os.getpid() % 1000
"""How long the command sleeps: it is known by that."""


def bash(command: str) -> Any:
    return calls(("bash", json.dumps({"command": command})))


def sleeps() -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes() == b"sleep\0%d\0" % SECONDS:
                return True
    return False


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def test_a_killed_engine_is_told_and_leaves_nothing(
    engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    (tmp_path / "workspace").mkdir()
    settings = Settings(
        home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",), image="small"
    )
    model = ScriptedModel(
        bash(f"sleep {SECONDS}"), bash("echo again"), bash("echo back"), answer("Done.")
    )
    session = await Session.open(settings, mode="headless", model=model)
    told: list[Any] = []

    async def say(text: str) -> None:
        async for item in session.send(text):
            if isinstance(item, Event):
                told.append(item.data)
                if isinstance(item.data, ToolCall) and str(SECONDS) in item.data.arguments:
                    assert await until(sleeps)
                    await asyncio.to_thread(engine.end, signal.SIGKILL)

    await asyncio.wait_for(say("go"), 60)
    lost, unavailable = (one for one in told if isinstance(one, Observation))
    assert lost.error == "sandbox_lost"
    assert "The sandbox is gone: the Docker engine ended." in lost.text
    assert "the files in the workspace are kept" in lost.text
    assert unavailable.error == "sandbox_unavailable"
    assert "does not answer: start it" in unavailable.text
    assert "\n" not in unavailable.text
    assert isinstance(told[-1], RoundEnd)
    assert told[-1].status == "infra"
    assert await until(lambda: not sleeps()), "the command runs on without an engine"

    await asyncio.to_thread(engine.start)
    assert await until(lambda: not engine.containers())
    told.clear()
    await asyncio.wait_for(say("go on"), 60)
    assert [one.text for one in told if isinstance(one, Observation)] == ["back"]
    await session.close()
    assert await until(lambda: not engine.containers())
    assert await until(lambda: not engine.mounts())
    assert await until(lambda: not engine.processes())
