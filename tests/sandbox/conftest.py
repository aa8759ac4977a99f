"""A running sandbox of every backend, each over a workspace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Limits, Sandbox, SandboxBackend, SandboxSpec, SandboxUnavailable

IMAGE = os.environ.get("SII_TEST_IMAGE", "sii-sandbox:latest")

Start = Callable[..., Awaitable[Sandbox]]


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"])
def backend(request: pytest.FixtureRequest) -> SandboxBackend:
    if request.param == "docker":
        return DockerBackend()
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    return BubblewrapBackend()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
async def start(backend: SandboxBackend, workspace: Path) -> AsyncIterator[Start]:
    """Start sandboxes over the workspace; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(limits: Limits | None = None, **fields: object) -> Sandbox:
            spec = SandboxSpec(workspace=workspace, image=IMAGE, limits=limits or Limits())
            try:
                sandbox = await backend.start(replace(spec, **fields))  # type: ignore[arg-type]
            except SandboxUnavailable as error:
                if "image" in str(error) and not fields:
                    pytest.skip(str(error))
                raise
            stack.push_async_callback(sandbox.close)
            return sandbox

        yield start


@pytest.fixture
async def sandbox(start: Start) -> Sandbox:
    return await start()


def needs(sandbox: Sandbox, limit: str) -> None:
    """Skip where the backend says that it cannot hold a limit."""
    if limit in sandbox.info.unlimited:
        pytest.skip(f"{sandbox.info.backend} does not limit {limit}")


def containers_of(sandbox: Sandbox) -> str:
    """What the engine still knows of a sandbox's container."""
    return subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"name={sandbox.info.sandbox_id}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
