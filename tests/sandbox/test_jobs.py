"""What the model reads of a job that was killed for memory."""

from __future__ import annotations

from sandbox.conformance.fixtures import Start, needs
from sandbox.protocol import Limits
from tools.command_text import job_state


async def test_a_job_that_is_killed_for_memory_says_so_and_another_does_not(start: Start) -> None:
    sandbox = await start(Limits(memory=256 << 20))
    needs(sandbox, "memory")
    killed = await sandbox.start_job("kill -9 $$")
    ended = await sandbox.wait_job(killed.job_id, timeout=30)
    assert (ended.signal, ended.limits_hit) == (9, ())
    assert job_state(ended).startswith("[job 1 was killed by signal 9 (SIGKILL): kill")
    large = await sandbox.start_job("exec python3 -c 'x = bytearray(1 << 30)'")
    ended = await sandbox.wait_job(large.job_id, timeout=30)
    assert (ended.signal, ended.limits_hit) == (9, ("memory",))
    assert "[the memory limit was reached and a process was killed]" in job_state(ended)
