"""Every limit is hit, the result names it, and the sandbox lives on."""

from __future__ import annotations

import asyncio
import resource

import pytest

from sandbox.conformance.fixtures import Start, needs
from sandbox.protocol import Limits, Sandbox

pytestmark = pytest.mark.asyncio

MIB = 1 << 20
SMALL = Limits(memory=256 * MIB, pids=40, tmp=32 * MIB, file_size=8 * MIB, open_files=64)


async def lives(sandbox: Sandbox) -> bool:
    return (await sandbox.bash("echo alive")).output == b"alive\n"


async def test_memory(start: Start) -> None:
    sandbox = await start(SMALL)
    needs(sandbox, "memory")
    await sandbox.bash("x=kept")
    result = await sandbox.bash("python3 -c 'x = bytearray(1 << 30)'")
    assert result.exit_code == 137
    assert result.signal == 9
    assert result.out_of_memory
    assert "memory" in result.limits_hit
    assert (await sandbox.bash("echo $x")).output == b"kept\n"
    assert not (await sandbox.bash("true")).out_of_memory


async def test_a_kill_that_is_not_for_memory_is_not_called_so(sandbox: Sandbox) -> None:
    result = await sandbox.bash("sh -c 'kill -9 $$'")
    assert result.signal == 9
    assert not result.out_of_memory


async def test_memory_of_the_interpreter(start: Start) -> None:
    sandbox = await start(SMALL)
    needs(sandbox, "memory")
    result = await sandbox.python("x = bytearray(1 << 30)")
    assert result.out_of_memory
    assert result.lost_state is not None
    assert (await sandbox.python("1 + 1")).output == b"2\n"


async def test_shared_memory_has_the_size_that_was_asked_for(start: Start) -> None:
    sandbox = await start(Limits(memory=512 * MIB, shm=96 * MIB))
    result = await sandbox.bash("df -B1 --output=size /dev/shm | tail -n 1")
    assert int(result.output) == 96 * MIB


async def test_processes(start: Start) -> None:
    sandbox = await start(SMALL)
    needs(sandbox, "pids")
    result = await sandbox.bash("f() { f | f & }; f; sleep 0.5", timeout=3, fresh=True)
    assert "pids" in result.limits_hit
    assert await sandbox.ping() < 1
    await sandbox.kill_all()
    await sandbox.bash("true")
    assert await lives(sandbox)


TAKES_EVERY_PROCESS = """
import os, signal, time
while True:
    try:
        if os.fork() == 0:
            signal.pause()
    except OSError:
        time.sleep(0.001)
"""


async def test_room_is_made_when_not_even_a_shell_can_be_started(start: Start) -> None:
    sandbox = await start(SMALL)
    needs(sandbox, "pids")
    await sandbox.write_file("take.py", TAKES_EVERY_PROCESS.encode())
    await sandbox.bash("setsid -f python3 take.py >/dev/null 2>&1; sleep 1; exit", timeout=5)
    await asyncio.sleep(0.5)
    starved = await sandbox.bash("touch ran")
    assert starved.exit_code == 126
    assert "was not run, and everything that ran was ended" in (starved.lost_state or "")
    assert (await sandbox.bash("ls; pgrep -fc take.py")).output == b"take.py\n0\n"


async def test_file_size(start: Start) -> None:
    sandbox = await start(SMALL)
    result = await sandbox.bash("head -c 9M /dev/zero > big")
    assert result.exit_code != 0
    assert "file_size" in result.limits_hit
    assert await lives(sandbox)


async def test_open_files(start: Start) -> None:
    sandbox = await start(SMALL)
    result = await sandbox.python("files = [open('/dev/null') for _ in range(100)]")
    assert "open_files" in result.limits_hit
    assert (await sandbox.python("1 + 1")).output == b"2\n"


async def test_tmp(start: Start) -> None:
    sandbox = await start(SMALL)
    result = await sandbox.bash("for i in 1 2 3 4 5; do head -c 7M /dev/zero > /tmp/f$i; done")
    assert "tmp" in result.limits_hit
    assert b"No space left on device" in result.output
    assert (await sandbox.bash("rm /tmp/f*; echo alive")).output == b"alive\n"


async def test_time(sandbox: Sandbox) -> None:
    result = await sandbox.bash("sleep 60", timeout=0.1)
    assert result.limits_hit == ("time",)


async def test_the_time_asked_for_is_at_most_the_maximum(start: Start) -> None:
    sandbox = await start(Limits(command_timeout_max=0.2))
    assert (await sandbox.bash("sleep 60", timeout=100)).timed_out


async def test_output(start: Start) -> None:
    sandbox = await start(Limits(output=1000))
    result = await sandbox.bash("seq 1 1000")
    assert result.limits_hit == ("output",)


async def test_cpu(start: Start) -> None:
    sandbox = await start(Limits(cpus=0.5))
    needs(sandbox, "cpus")
    code = "import time\nb = time.time()\nwhile time.time() - b < 1.5: pass\ntime.process_time()"
    result = await sandbox.python(code)
    assert float(result.output) < 1.1


async def test_a_gigabyte_of_output_is_counted_and_not_kept(sandbox: Sandbox) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await sandbox.bash("head -c 1000000000 /dev/zero")
    assert result.dropped + len(result.output) == 1_000_000_000
    assert len(result.output) == sandbox.info.limits.output
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10
