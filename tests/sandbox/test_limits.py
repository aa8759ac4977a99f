"""Limits of the user's own shell do not reach the sandbox."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest

from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.protocol import SandboxSpec


async def test_jobs_are_not_held_to_the_few_files_that_a_users_shell_may_open(
    workspace: Path,
) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = max(map(int, os.listdir("/proc/self/fd"))) + 100  # whatever other tests have open
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        sandbox = await BubblewrapBackend().start(SandboxSpec(workspace))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for _ in range(few + 2):
        await sandbox.start_job("sleep 600")
    assert all(job.running for job in sandbox.jobs())
    assert (await sandbox.python("1 + 1")).output == b"2\n"
    await sandbox.close()
