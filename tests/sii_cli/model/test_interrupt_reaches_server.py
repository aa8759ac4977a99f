"""Ctrl-C, Esc and a polite kill reach the server at once: it works no longer for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.terminal import Terminal, clean_environment

SII = [sys.executable, "-m", "sii_cli.main"]
ENDLESS = Turn(reasoning="Hm.", content="word " * 20_000, slow=0.005)
AT_ONCE = 1.0
"""Seconds that even a busy machine does not need; a quiet one takes about a millisecond
(`benchmarks/bench_model.py`)."""
PATIENCE = 30.0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    nowhere = f"unix://{tmp_path}/no-docker.sock"
    return {"SII_HOME": str(tmp_path / "home"), "DOCKER_HOST": nowhere, "NO_COLOR": "1"}


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def left_after(server: ScriptedServer, stopped: float) -> float:
    wait_until(lambda: server.disconnects)
    return server.disconnects[0] - stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_a_headless_session(
    env: dict[str, str], workspace: Path, number: signal.Signals
) -> None:
    with in_a_thread(ScriptedServer([ENDLESS])) as server:
        process = subprocess.Popen(
            [*SII, "-p", "Talk."],
            cwd=workspace,
            env=clean_environment() | env | {"SII_BASE_URL": server.base_url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        wait_until(lambda: server.requests)
        time.sleep(0.1)  # in the middle of the answer
        stopped = time.monotonic()
        os.kill(process.pid, number)
        assert left_after(server, stopped) < AT_ONCE
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130


@pytest.mark.parametrize("key", ["\x1b", "\x03"], ids=["esc", "ctrl-c"])
def test_a_key_at_the_prompt(env: dict[str, str], workspace: Path, key: str) -> None:
    with in_a_thread(ScriptedServer([ENDLESS])) as server:
        terminal = Terminal(SII, cwd=workspace, env=env | {"SII_BASE_URL": server.base_url})
        terminal.wait_for("server ready")
        terminal.send("Talk.\r")
        terminal.wait_for("word word")
        stopped = time.monotonic()
        terminal.send(key)
        assert left_after(server, stopped) < AT_ONCE
        terminal.wait_for("Interrupted.")
        terminal.child.close(force=True)
