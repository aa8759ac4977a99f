"""A client that is killed while it starts a sandbox: what it was making is gone soon after."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.bubblewrap import backend as bubblewrap
from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.docker.leftovers import OWNER_LABEL
from sandbox.protocol import SandboxSpec, SandboxUnavailable
from tests.sandbox.conftest import IMAGE

GONE_WITHIN = 12.0
CLIENT = """
import asyncio, sys, time
from pathlib import Path
import sandbox.docker.backend as docker
from sandbox.protocol import SandboxSpec

def never(*_):
    print("made", flush=True)
    time.sleep(600)

if sys.argv[3] == "never":
    docker._start = never

async def main():
    await docker.DockerBackend().start(SandboxSpec(Path(sys.argv[1]), sys.argv[2]))
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start(workspace: Path, how: str) -> subprocess.Popen[bytes]:
    temporary = workspace.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(workspace), IMAGE, how],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
        start_new_session=True,
    )


def left_of(pid: int, workspace: Path) -> list[str]:
    found = docker.APIClient().containers(all=True, filters={"label": OWNER_LABEL})
    folders = [path.name for path in (workspace.parent / "tmp").glob("sii-run-*")]
    ids = [box["Id"] for box in found if box["Labels"][OWNER_LABEL].split(":")[-2] == str(pid)]
    return ids + folders


def is_gone(pid: int, workspace: Path) -> bool:
    until = time.monotonic() + GONE_WITHIN
    while left_of(pid, workspace):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.docker
def test_a_container_that_was_made_and_not_started_is_removed(workspace: Path) -> None:
    client = start(workspace, "never")
    assert client.stdout is not None
    assert client.stdout.readline() == b"made\n"
    assert left_of(client.pid, workspace)
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    assert is_gone(client.pid, workspace)


@pytest.mark.docker
@pytest.mark.slow
def test_a_kill_at_any_moment_of_a_start_leaves_nothing(workspace: Path) -> None:
    moments = random.Random(7)
    for _ in range(30):
        client = start(workspace, "as always")
        time.sleep(moments.uniform(0.2, 2.0))
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
        assert is_gone(client.pid, workspace), left_of(client.pid, workspace)


async def test_bwrap_that_does_not_start_is_waited_for_no_longer_than_said(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "HELLO_TIMEOUT", 0.2)
    loop = asyncio.get_running_loop()

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(600)

    monkeypatch.setattr(loop, "subprocess_exec", never)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/bwrap")
    with pytest.raises(SandboxUnavailable, match="did not start within"):
        await asyncio.wait_for(BubblewrapBackend().start(SandboxSpec(workspace)), 5)


async def test_a_start_that_is_cancelled_does_not_wait_for_the_spawn(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    spawn = loop.subprocess_exec
    made: asyncio.Future[asyncio.SubprocessTransport] = loop.create_future()

    async def slowly(*arguments: object, **options: object) -> object:
        pair: Any = await spawn(*arguments, **options)  # type: ignore[arg-type]
        made.set_result(pair[0])
        await asyncio.sleep(0.5)
        return pair

    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    monkeypatch.setattr(loop, "subprocess_exec", slowly)
    starting = asyncio.create_task(BubblewrapBackend().start(SandboxSpec(workspace)))
    transport = await made
    starting.cancel()
    begin = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert time.monotonic() - begin < 0.4
    await asyncio.sleep(1)
    assert transport.get_returncode() is not None
