"""Starting, dying and being left behind: clear words before, nothing left after."""

# ruff: noqa: ASYNC220, ASYNC221 (the engine's command is asked and answers at once)

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from sandbox.client.launch import new_name
from sandbox.docker.backend import DockerBackend
from sandbox.docker.leftovers import OWNER_LABEL, is_dead, owner, remove_leftovers
from sandbox.protocol import (
    Sandbox,
    SandboxBackend,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from tests.sandbox.conftest import IMAGE, Start, containers_of

pytestmark = pytest.mark.docker


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def why_not(spec: SandboxSpec) -> str:
    with pytest.raises(SandboxUnavailable) as caught:
        await DockerBackend().start(spec)
    return str(caught.value)


async def test_no_workspace(tmp_path: Path) -> None:
    words = await why_not(SandboxSpec(workspace=tmp_path / "nowhere", image=IMAGE))
    assert "cannot be used: No such file or directory" in words


async def test_a_workspace_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    words = await why_not(SandboxSpec(workspace=tmp_path / "file", image=IMAGE))
    assert "is not a directory" in words


async def test_a_workspace_that_holds_the_engines_socket() -> None:
    words = await why_not(SandboxSpec(workspace=Path("/var/run"), image=IMAGE))
    assert "socket" in words


async def test_hosts_that_cannot_be_read_are_refused_before_anything_starts(
    backend: SandboxBackend, workspace: Path
) -> None:
    with pytest.raises(SandboxUnavailable, match="'\\*' is not a host"):
        await backend.start(SandboxSpec(workspace, IMAGE, allow_net=("*",)))


async def test_no_image(workspace: Path) -> None:
    words = await why_not(SandboxSpec(workspace=workspace, image="sii-missing:none"))
    assert "docker pull sii-missing:none" in words


async def test_no_engine(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    words = await why_not(SandboxSpec(workspace=workspace, image=IMAGE))
    assert "No Docker engine answers" in words


async def test_an_engine_that_is_not_here(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert "on this machine" in await why_not(SandboxSpec(workspace=workspace, image=IMAGE))


async def test_closing_leaves_no_container_and_can_be_done_twice(start: Start) -> None:
    sandbox = await start()
    await sandbox.start_job("sleep 600")
    await sandbox.close()
    await sandbox.close()
    assert await eventually(lambda: not containers_of(sandbox))
    with pytest.raises(SandboxLost):
        await sandbox.bash("true")


@pytest.mark.parametrize("how", ["kill", "rm -f", "stop"])
async def test_a_container_that_is_ended_from_outside_is_told_at_once(
    sandbox: Sandbox, how: str
) -> None:
    if sandbox.info.backend != "docker":
        pytest.skip("has no container")
    running = asyncio.create_task(sandbox.bash("sleep 60"))
    await asyncio.sleep(0.2)
    subprocess.run(
        ["docker", *how.split(), sandbox.info.sandbox_id], check=True, capture_output=True
    )
    with pytest.raises(SandboxLost):
        await asyncio.wait_for(running, 5)
    with pytest.raises(SandboxLost):
        await sandbox.ping()


async def test_cancelling_a_start_leaves_no_container(workspace: Path) -> None:
    before = _mine()
    for delay in (0.02, 0.1, 0.2, 0.3):
        starting = asyncio.create_task(
            DockerBackend().start(SandboxSpec(workspace=workspace, image=IMAGE))
        )
        await asyncio.sleep(delay)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await (await starting).close()
    assert await eventually(lambda: not (_mine() - before))


@pytest.mark.parametrize("busy", ["true", "sleep 600", "yes", "f() { f | f & }; f"])
async def test_kill_9_of_the_client_ends_the_container(workspace: Path, busy: str) -> None:
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from sandbox.docker.backend import DockerBackend
        from sandbox.protocol import Limits, SandboxSpec

        async def main():
            spec = SandboxSpec(Path({str(workspace)!r}), {IMAGE!r}, Limits(pids=60))
            sandbox = await DockerBackend().start(spec)
            asyncio.create_task(sandbox.bash({busy!r}))
            await asyncio.sleep(0.3)
            print(sandbox.info.sandbox_id, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """)
    client = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    name = await asyncio.to_thread(client.stdout.readline)
    os.kill(client.pid, signal.SIGKILL)
    await asyncio.to_thread(client.wait)
    client.stdout.close()
    assert await eventually(lambda: name.strip() not in _names(), seconds=3)


def test_leftovers_of_a_dead_client_are_removed_and_nothing_else() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    boot, namespace, pid, _ = owner().split(":")
    dead = f"{boot}:{namespace}:{gone.pid}:1"
    made = [_create(label) for label in (dead, owner(), f"elsewhere:{namespace}:{pid}:1")]
    try:
        remove_leftovers()
        assert [_exists(one) for one in made] == [False, True, False]
    finally:
        subprocess.run(["docker", "rm", "-f", *made], capture_output=True, check=False)


def test_a_running_container_of_another_machine_is_left_to_it() -> None:
    assert not is_dead("another-boot:1:1:1", running=True)
    assert not is_dead("nonsense", running=False)
    assert not is_dead(owner(), running=False)


def _create(label: str) -> str:
    named = ["--name", new_name(), "--label", f"{OWNER_LABEL}={label}"]
    command = ["docker", "create", *named, IMAGE, "true"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _exists(container: str) -> bool:
    found = subprocess.run(["docker", "inspect", container], capture_output=True, check=False)
    return found.returncode == 0


def _names() -> set[str]:
    listed = ["docker", "ps", "-a", "--format", "{{.Names}}"]
    return set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())


def _mine() -> set[str]:
    listed = ["docker", "ps", "-aq", "--filter", f"label={OWNER_LABEL}={owner()}"]
    return set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split())


async def test_an_engine_that_hangs_is_no_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hang(*_: object) -> str:
        raise requests.exceptions.ReadTimeout("Read timed out.")

    monkeypatch.setattr("sandbox.docker.backend._create", hang)
    with pytest.raises(SandboxUnavailable, match="Read timed out"):
        await DockerBackend().start(SandboxSpec(workspace=tmp_path))


async def test_closing_removes_a_container_that_has_gone_silent(workspace: Path) -> None:
    sandbox = await DockerBackend().start(SandboxSpec(workspace=workspace, image=IMAGE))
    subprocess.run(["docker", "pause", sandbox.info.sandbox_id], check=True)
    sandbox._stream.end("it did not answer")
    await sandbox.close()
    assert not containers_of(sandbox)
