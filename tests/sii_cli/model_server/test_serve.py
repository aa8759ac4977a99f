"""A server's life under `sii serve`: loading, ready, its end; and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sii_cli.config.load import load_settings
from sii_cli.config.running_server import note_server, running_server
from sii_cli.errors import SiiError
from sii_cli.model_server.server import ServeFailed, free_port, serve
from sii_cli.model_server.vllm_command import ServeCommand
from tests.tiny_glm.server import free_port as other_port

FAKE = Path(__file__).parents[2] / "fakes" / "fake_vllm.py"


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The pid of the fake server's child."""
    file = tmp_path / "child"
    monkeypatch.setenv("FAKE_VLLM_CHILD", str(file))
    return lambda: int(file.read_text())


def fake(model: str, port: int) -> ServeCommand:
    command = (sys.executable, str(FAKE), "serve", model, "--port", str(port))
    return ServeCommand(command=command, name=model)


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


async def ready_or_ended(ready: asyncio.Event, running: asyncio.Task[None]) -> None:
    """Wait until the server is ready; raise what ended it before."""
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([waiting, running], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    assert waiting.done(), "it is not ready"


async def test_a_server_loads_is_ready_is_found_and_ends_with_all_that_it_started(
    tmp_path: Path, child: Callable[[], int]
) -> None:
    said: list[str] = []
    ready = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("ready"):
            ready.set()

    port = other_port()
    log = tmp_path / "log"
    running = asyncio.create_task(serve(fake("tiny", port), port, home=tmp_path, log=log, say=say))
    await ready_or_ended(ready, running)
    assert said[:2] == ["loading weights 50%", "capturing graphs 100%"]
    assert f"tiny at http://127.0.0.1:{port}/v1" in said[-1]
    assert running_server(tmp_path) == f"http://127.0.0.1:{port}/v1"
    assert is_alive(child())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(wait_until, lambda: not is_alive(child()))
    assert running_server(tmp_path) is None
    assert "safetensors" in log.read_text()


async def test_a_server_that_fails_to_start_says_why(
    tmp_path: Path, child: Callable[[], int]
) -> None:
    port = other_port()
    with pytest.raises(ServeFailed, match="ValueError: the model is unknown"):
        await serve(
            fake("breaks", port), port, home=tmp_path, log=tmp_path / "log", say=lambda _: None
        )
    await asyncio.to_thread(wait_until, lambda: not is_alive(child()))


async def test_a_server_that_dies_takes_its_children_with_it(
    tmp_path: Path, child: Callable[[], int]
) -> None:
    port = other_port()
    with pytest.raises(ServeFailed, match="ended by itself"):
        await serve(
            fake("dies", port), port, home=tmp_path, log=tmp_path / "log", say=lambda _: None
        )
    await asyncio.to_thread(wait_until, lambda: not is_alive(child()))
    assert running_server(tmp_path) is None


async def test_a_server_that_will_not_end_is_ended(
    tmp_path: Path, child: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sii_cli.model_server.server.STOP_SECONDS", 0.3)
    port = other_port()
    ready = asyncio.Event()
    running = asyncio.create_task(
        serve(
            fake("stubborn", port),
            port,
            home=tmp_path,
            log=tmp_path / "log",
            say=lambda text: ready.set() if text.startswith("ready") else None,
        )
    )
    await ready_or_ended(ready, running)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(wait_until, lambda: not is_alive(child()))


@pytest.fixture
def started(tmp_path: Path, child: Callable[[], int]) -> Iterator[subprocess.Popen[str]]:
    """`sii serve` with a server that is ready."""
    program = tmp_path / "vllm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    small = tmp_path / "tiny-glm"
    small.mkdir()
    command = [sys.executable, "-m", "sii_cli.main", "serve", str(small), "--vllm", str(program)]
    command += ["--port", str(other_port())]
    env = os.environ | {"SII_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                break
        yield process
        process.kill()
    if is_alive(child()):
        os.kill(child(), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_ends_everything_on_a_signal(
    number: int, started: subprocess.Popen[str], child: Callable[[], int]
) -> None:
    started.send_signal(number)
    assert started.wait(20) == 130
    wait_until(lambda: not is_alive(child()))


def test_a_server_is_told_to_end_when_the_command_is_killed(
    started: subprocess.Popen[str], child: Callable[[], int]
) -> None:
    status = Path(f"/proc/{child()}/stat").read_text()
    server = int(status.rsplit(")", 1)[1].split()[1])
    assert is_alive(server)
    started.kill()
    wait_until(lambda: not is_alive(server))


def test_dry_run_prints_the_command_and_starts_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sii_cli.main", "serve", str(tmp_path), "--dry-run"]
    command += ["--vllm", "true", "--", "--seed", "7"]
    env = os.environ | {"SII_HOME": str(tmp_path)}
    said = subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout
    assert re.search(r"true serve \S+ --host 127.0.0.1 --port \d+ .* --seed 7$", said.strip())
    assert not list(tmp_path.glob("*.log"))


def test_dry_run_prints_the_command_for_the_right_machine_where_nothing_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sii_cli.main", "serve", "zai-org/GLM-4.7-FP8", "--dry-run"]
    env = {"PATH": str(tmp_path), "SII_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert done.stdout.startswith("vllm serve zai-org/GLM-4.7-FP8 --host 127.0.0.1 --port")
    assert "--tensor-parallel-size 4" in done.stdout
    assert "vLLM is not installed here" in done.stderr
    assert "The command is for 4 × 141 GB." in done.stderr


def test_a_port_that_is_taken_is_refused_and_another_is_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SiiError, match=f"Port {port} is taken"):
            free_port(port)
    assert free_port(port) == port


def test_a_port_that_another_sii_serve_has_chosen_is_not_chosen_again() -> None:
    port = other_port()
    source = f"from sii_cli.model_server.server import free_port; print(free_port({port})); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == f"{port}\n"
    with pytest.raises(SiiError, match=f"Port {port} is taken"):
        free_port(port)
    other.communicate("\n")
    assert free_port(port) == port


def test_a_server_whose_process_is_gone_is_not_found(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    note_server(tmp_path, "http://127.0.0.1:8000/v1", gone.pid)
    assert running_server(tmp_path) is None
    assert json.loads((tmp_path / "server.json").read_text())["pid"] == gone.pid


def test_plain_sii_finds_the_server_unless_it_is_told_of_another(tmp_path: Path) -> None:
    url = "http://127.0.0.1:8123/v1"
    note_server(tmp_path, url, os.getpid())
    env = {"SII_HOME": str(tmp_path)}
    found = load_settings({}, env)
    assert (found.base_url, found.sources["base_url"]) == (url, "sii serve")
    told = load_settings({}, env | {"SII_BASE_URL": "http://gpu:8000"})
    assert told.base_url.startswith("http://gpu:8000")
