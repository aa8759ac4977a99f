"""A hundred sandboxes at once: all start, none disturbs another, all end and leave nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxSpec
from sandbox.running_sandboxes import running_sandboxes
from tests.sandbox.conftest import IMAGE

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.alone]

COUNT = 100
START, END = 20.0, 6.0
"""Seconds on a quiet machine of two cores; a loaded one gets five times as much."""
MEMORY = 16 << 20
"""Bytes that an idle one holds, as the engine counts."""


async def test_a_hundred_at_once(tmp_path: Path) -> None:
    backend = DockerBackend()
    began = time.monotonic()
    sandboxes = await asyncio.gather(*(one(backend, tmp_path / str(n)) for n in range(COUNT)))
    started = time.monotonic() - began
    names = {sandbox.info.sandbox_id for sandbox in sandboxes}
    try:
        outputs = await asyncio.gather(*(sandbox.bash("cat name") for sandbox in sandboxes))
        assert [output.output for output in outputs] == [b"%d" % n for n in range(COUNT)]
        there = await asyncio.to_thread(running_sandboxes)
        held = [found for found in there.found if found.sandbox_id in names]
        memory = statistics.median(found.memory or 0 for found in held)
    finally:
        began = time.monotonic()
        await asyncio.gather(*(sandbox.close() for sandbox in sandboxes))
        ended = time.monotonic() - began
    assert len(held) == COUNT
    assert started < 5 * START
    assert ended < 5 * END
    assert memory < MEMORY
    async with asyncio.timeout(60):  # the engine removes containers a moment after their end
        while names & await listed():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def listed() -> set[str]:
    return {found.sandbox_id for found in (await asyncio.to_thread(running_sandboxes)).found}


async def one(backend: DockerBackend, workspace: Path) -> Sandbox:
    workspace.mkdir()  # noqa: ASYNC240
    (workspace / "name").write_text(workspace.name)
    return await backend.start(SandboxSpec(workspace, IMAGE))
