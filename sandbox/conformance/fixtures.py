"""The fixtures of the conformance tests. The caller defines one more: `backend`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.protocol import Limits, Sandbox, SandboxBackend, SandboxSpec

Start = Callable[..., Awaitable[Sandbox]]
"""Starts a sandbox: `start(limits, **fields of the SandboxSpec)`."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def spec(workspace: Path) -> SandboxSpec:
    """What is started where a test asks for nothing else; override it to name an image."""
    return SandboxSpec(workspace=workspace)


@pytest_asyncio.fixture
async def start(backend: SandboxBackend, spec: SandboxSpec) -> AsyncIterator[Start]:
    """Start sandboxes over the workspace; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(limits: Limits | None = None, **fields: object) -> Sandbox:
            changed = replace(spec, limits=limits or Limits(), **fields)  # type: ignore[arg-type]
            sandbox = await backend.start(changed)
            stack.push_async_callback(sandbox.close)
            return sandbox

        yield start


@pytest_asyncio.fixture
async def sandbox(start: Start) -> Sandbox:
    """A running sandbox."""
    return await start()


def needs(sandbox: Sandbox, limit: str) -> None:
    """Skip the test if the backend cannot hold a limit."""
    if limit in sandbox.info.unlimited:
        pytest.skip(f"{sandbox.info.backend} does not limit {limit}")
