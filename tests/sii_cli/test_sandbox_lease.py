"""The session's hold on its sandbox, as the recording tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordings.events import SandboxStart
from sandbox.protocol import Mount, SandboxSpec
from sii_cli.sandbox_lease import SandboxLease
from tests.sii_cli.scripted_sii import FakeBackend


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
