"""The session's hold on its sandbox, as the recording tells it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from recordings.events import PortOpened, SandboxEnd, SandboxStart
from sandbox.protocol import Mount, Sandbox, SandboxSpec
from sii_cli.session.sandbox_lease import SandboxLease
from tests.fakes.fake_sandbox import FakeSandbox
from tests.sii_cli.scripted_sii import FakeBackend, WorkspaceBackend


async def test_the_start_says_all_that_the_sandbox_was_given_but_no_value_of_a_variable(
    tmp_path: Path,
) -> None:
    noted: list[Any] = []
    spec = SandboxSpec(
        tmp_path,
        env={"TOKEN": "s3cret", "A": "1"},
        mounts=(Mount(Path("/srv/data"), "/data"),),
        setup=("make",),
        read_only=True,
    )
    lease = SandboxLease(FakeBackend(), spec)
    lease.report_to(noted.append)
    await lease.get()
    await lease.close()
    start = noted[0]
    assert isinstance(start, SandboxStart)
    assert (start.env, start.mounts) == (["A", "TOKEN"], {"/data": "/srv/data"})
    assert (start.setup, start.read_only) == (["make"], True)
    assert "s3cret" not in start.model_dump_json()


async def test_leaving_does_not_wait_for_a_setup_that_runs_on(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class LongSetup(FakeBackend):
        async def start(self, spec: SandboxSpec) -> Sandbox:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()  # a backend removes what it made
            raise AssertionError("nobody waits so long")

    lease = SandboxLease(LongSetup(), SandboxSpec(tmp_path, setup=("sleep 60",)))
    lease.begin()
    await begun.wait()
    await asyncio.wait_for(lease.close(), 5)
    assert ended.is_set()


async def test_a_sandbox_that_is_about_to_be_ready_is_ended_as_one_that_is(tmp_path: Path) -> None:
    noted: list[Any] = []
    lease = SandboxLease(FakeBackend(), SandboxSpec(tmp_path))
    lease.report_to(noted.append)
    lease.begin()
    await lease.close()
    assert [type(data) for data in noted] == [SandboxStart, SandboxEnd]


async def test_a_port_of_a_job_is_recorded_and_then_reported(tmp_path: Path) -> None:
    noted: list[Any] = []
    lease = SandboxLease(WorkspaceBackend(), SandboxSpec(tmp_path))
    lease.on_port = lambda job, port: noted.append((job, port))
    lease.report_to(noted.append)
    sandbox = await lease.get()
    assert isinstance(sandbox, FakeSandbox)
    job = await sandbox.start_job("true")
    sandbox.open_port(job.job_id, 8000)
    opened = PortOpened(sandbox_id=sandbox.info.sandbox_id, job=1, port=8000)
    assert noted[1:] == [opened, (1, 8000)]
    lease.report_to(None)
    sandbox.open_port(job.job_id, 8001)
    assert len(noted) == 3
    await lease.close()
