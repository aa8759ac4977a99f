"""Background jobs: started, listed, read as they go, waited for, stopped, told once."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.conformance.fixtures import Start, needs
from sandbox.protocol import Limits, Sandbox, SandboxError, SandboxLost, UnknownJob

pytestmark = pytest.mark.asyncio


async def test_a_job_starts_where_the_shell_is_with_its_environment(sandbox: Sandbox) -> None:
    await sandbox.bash("cd /tmp; export COLOUR=green")
    job = await sandbox.start_job("pwd; echo $COLOUR")
    ended = await sandbox.wait_job(job.job_id, timeout=5)
    assert (ended.running, ended.exit_code) == (False, 0)
    assert (await sandbox.read_job(job.job_id)).data == b"/tmp\ngreen\n"


@pytest.mark.parametrize(
    "setting", ["set -x", "env() { echo FAKE=1; }", "shopt -s expand_aliases; alias env=false", ""]
)
async def test_a_job_has_the_shells_environment_whatever_became_of_the_shell(
    sandbox: Sandbox, setting: str
) -> None:
    await sandbox.bash(f"export COLOUR=green; {setting}\ncd /tmp; set -e; export PATH=")
    job = await sandbox.start_job('echo "$COLOUR [$PATH]"; pwd')
    await sandbox.wait_job(job.job_id, timeout=5)
    assert (await sandbox.read_job(job.job_id)).data == b"green []\n/tmp\n"
    assert (await sandbox.bash("true")).lost_state is None


async def test_state_that_was_lost_before_a_job_is_told_after_it(sandbox: Sandbox) -> None:
    await sandbox.bash("(sleep 0.2; kill -9 $$) >/dev/null 2>&1 &")
    await asyncio.sleep(0.6)
    await sandbox.start_job("true")
    assert "variables" in ((await sandbox.bash("true")).lost_state or "")
    assert (await sandbox.bash("true")).lost_state is None


async def test_only_what_is_new_is_read(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("echo one; sleep 0.6; echo two; sleep 60")
    await asyncio.sleep(0.3)
    assert (await sandbox.read_job(job.job_id)).data == b"one\n"
    assert (await sandbox.read_job(job.job_id)).data == b""
    await asyncio.sleep(0.8)
    new = await sandbox.read_job(job.job_id)
    assert new.data == b"two\n"
    assert new.job.running


async def test_commands_run_meanwhile_and_the_end_is_told_once(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("sleep 0.3; exit 4")
    assert (await sandbox.bash("echo meanwhile")).output == b"meanwhile\n"
    assert sandbox.ended_jobs() == []
    await asyncio.sleep(0.6)
    (ended,) = sandbox.ended_jobs()
    assert (ended.job_id, ended.exit_code) == (job.job_id, 4)
    assert sandbox.ended_jobs() == []
    assert [one.job_id for one in sandbox.jobs()] == [job.job_id]


async def test_waiting_has_a_limit(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("sleep 60")
    assert (await sandbox.wait_job(job.job_id, timeout=0.1)).running


async def test_stopping_ends_the_job_and_all_that_it_started(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("trap '' TERM; sleep 61 & (setsid sleep 62 & wait) & wait; wait")
    await asyncio.sleep(0.3)
    stopped = await sandbox.stop_job(job.job_id)
    assert (stopped.running, stopped.stopped) == (False, True)
    assert (await sandbox.bash("pgrep -x sleep")).output == b""
    assert await sandbox.stop_job(job.job_id) == stopped


async def test_more_than_is_kept_is_counted_as_missed(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("seq 1 1000000")
    await sandbox.wait_job(job.job_id, timeout=10)
    first = await sandbox.read_job(job.job_id)
    assert first.missed + len(first.data) == len(b"".join(b"%d\n" % n for n in range(1, 1000001)))
    assert first.data.endswith(b"\n1000000\n")


async def test_a_job_survives_the_time_limit_of_a_command(sandbox: Sandbox) -> None:
    job = await sandbox.start_job("sleep 60")
    await sandbox.bash("sleep 60", timeout=0.2)
    assert (await sandbox.wait_job(job.job_id, timeout=0.1)).running


async def test_a_job_can_start_while_the_shell_is_busy(sandbox: Sandbox) -> None:
    busy = asyncio.create_task(sandbox.bash("sleep 3"))
    await asyncio.sleep(0.1)
    job = await sandbox.start_job("echo started")
    await sandbox.wait_job(job.job_id, timeout=2)
    assert (await sandbox.read_job(job.job_id)).data == b"started\n"
    busy.cancel()


async def test_an_unknown_job_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(UnknownJob, match="no job 7"):
        await sandbox.read_job(7)


async def test_who_waits_for_a_job_is_told_when_the_sandbox_is_gone(start: Start) -> None:
    sandbox = await start()
    job = await sandbox.start_job("sleep 600")
    waiting = asyncio.create_task(sandbox.wait_job(job.job_id, timeout=600))
    await asyncio.sleep(0.1)
    await sandbox.close()
    with pytest.raises(SandboxLost):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(SandboxLost):
        await sandbox.stop_job(job.job_id)


async def test_a_job_too_long_to_send_is_refused_and_nothing_is_left(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="too large"):
        await sandbox.start_job("true " + "x" * (2 << 20))
    assert (sandbox.ended_jobs(), sandbox.jobs()) == ([], [])
    with pytest.raises(UnknownJob, match="known are: none"):
        await sandbox.read_job(1)
    assert (await sandbox.bash("echo fine")).output == b"fine\n"


async def test_there_is_no_job_where_no_process_could_be_made(start: Start) -> None:
    sandbox = await start(Limits(pids=40))
    needs(sandbox, "pids")

    busy = asyncio.create_task(sandbox.bash("sleep 600"))  # a shell that need not be asked
    await asyncio.sleep(0.3)
    started: list[int] = []

    async def start_many() -> None:
        while True:
            started.append((await sandbox.start_job("sleep 600")).job_id)

    with pytest.raises(SandboxError, match="No process could be started"):
        await start_many()
    assert [job.job_id for job in sandbox.jobs()] == started
    with pytest.raises(UnknownJob):
        await sandbox.stop_job(started[-1] + 1)
    assert (await sandbox.stop_job(started[0])).stopped
    busy.cancel()


async def test_what_a_job_writes_is_shown_while_it_is_waited_for_and_read_afterwards(
    sandbox: Sandbox,
) -> None:
    job = await sandbox.start_job("echo one; until [ -e go ]; do sleep 0.05; done; echo two")
    shown = b""

    def show(data: bytes) -> None:
        nonlocal shown
        shown += data

    waiting = asyncio.create_task(sandbox.wait_job(job.job_id, timeout=60, on_output=show))
    async with asyncio.timeout(30):
        while shown != b"one\n":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await sandbox.bash("touch go")
    assert (await waiting).exit_code == 0
    assert shown == b"one\ntwo\n"
    assert (await sandbox.read_job(job.job_id)).data == b"one\ntwo\n"


async def test_a_job_killed_for_memory_has_hit_the_limit_and_another_has_not(
    start: Start,
) -> None:
    sandbox = await start(Limits(memory=256 << 20))
    needs(sandbox, "memory")
    killed = await sandbox.start_job("kill -9 $$")
    ended = await sandbox.wait_job(killed.job_id, timeout=30)
    assert (ended.signal, ended.limits_hit) == (9, ())
    large = await sandbox.start_job("exec python3 -c 'x = bytearray(1 << 30)'")
    ended = await sandbox.wait_job(large.job_id, timeout=30)
    assert (ended.signal, ended.limits_hit) == (9, ("memory",))


async def test_what_jobs_wrote_that_ended_long_ago_is_counted_and_no_longer_kept(
    sandbox: Sandbox,
) -> None:
    early = await sandbox.start_job("echo early")
    for _ in range(33):
        last = await sandbox.start_job("head -c 300000 /dev/zero")
        await sandbox.wait_job(last.job_id, timeout=10)
    gone = await sandbox.read_job(early.job_id)
    assert (gone.data, gone.missed, gone.job.exit_code) == (b"", len("early\n"), 0)
    assert len((await sandbox.read_job(last.job_id)).data) == 300_000
    with pytest.raises(UnknownJob, match=r"There is no job 99; known are: 15, 16.*, 34\.$"):
        await sandbox.read_job(99)


_LISTEN = "python3 -c 'import socket, time; {code}; time.sleep(60)'"


async def _ports(sandbox: Sandbox, count: int) -> list[tuple[int, int]]:
    """Return the ports that are reported: as many as are awaited, and those that come after."""
    reported: list[tuple[int, int]] = []
    enough = asyncio.Event()

    def watch(job: int, port: int) -> None:
        reported.append((job, port))
        if len(reported) == count:
            enough.set()

    sandbox.watch_ports(watch)
    await asyncio.wait_for(enough.wait(), 20)
    await asyncio.sleep(2.5)
    return reported


async def test_a_port_that_a_job_listens_on_is_reported_once(sandbox: Sandbox) -> None:
    code = 's = socket.create_server(("127.0.0.1", 8765)); time.sleep(2); t = s.dup()'
    await sandbox.bash(_LISTEN.format(code='s = socket.create_server(("", 8766))') + " &")
    await sandbox.start_job("sleep 60")
    job = await sandbox.start_job("true; " + _LISTEN.format(code=code))
    assert await _ports(sandbox, 1) == [(job.job_id, 8765)]
    assert [one.ports for one in sandbox.jobs()] == [(), (8765,)]


async def test_of_a_job_that_floods_with_ports_the_first_are_reported(sandbox: Sandbox) -> None:
    code = 'a = [socket.create_server(("", 9000 + n)) for n in range(100)]'
    job = await sandbox.start_job(_LISTEN.format(code=code))
    assert await _ports(sandbox, 16) == [(job.job_id, 9000 + n) for n in range(16)]
    assert (await sandbox.bash("echo here")).output == b"here\n"
