"""Whether a sandbox starts here, runs, and keeps its limits: tried, not assumed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from sandbox.own_folder import OwnFolder
from sandbox.protocol import (
    CommandResult,
    Limits,
    Sandbox,
    SandboxBackend,
    SandboxError,
    SandboxSpec,
    SandboxUnavailable,
)
from sii_cli.assembly import make_backend, make_spec
from sii_cli.config.settings import Settings
from sii_cli.doctor import machine
from sii_cli.doctor.server_checks import DoctorCheck

SMALL = Limits(memory=256 << 20, pids=64, tmp=32 << 20, command_timeout=30.0)
"""Limits that are reached within a moment."""
SLOW_START = 3.0
SLOW_ROUND_TRIP = 0.05
SLOW_END = 3.0
"""Seconds."""
PROGRAMS = ("python3", "bash", "rg", "git", "curl", "cc")
ESCAPES = """
grep -q '^CapEff:\\s*0*$' /proc/self/status || echo 'commands hold capabilities'
grep -q '^NoNewPrivs:\\s*1$' /proc/self/status || echo 'set-uid programs gain rights'
mount -t tmpfs none /mnt 2>/dev/null && echo 'mount works'
unshare -r true 2>/dev/null && echo 'a user namespace can be made'
cat /proc/1/environ >/dev/null 2>&1 && echo 'the runner can be read'
for file in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock; do
  [ -e $file ] && echo "$file is there"
done
(echo > /proc/sys/kernel/panic) 2>/dev/null && echo '/proc/sys can be written'
(echo > /opt/sii/runner/supervisor.py) 2>/dev/null && echo 'the runner can be overwritten'
true
"""
NETWORK = """
import os, socket
names = [name for _, name in socket.if_nameindex() if name != "lo"]
if names: print("there are interfaces:", *names)
for address in (("1.1.1.1", 53), ("172.17.0.1", 80), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 1)
        print("reached", *address)
    except OSError:
        pass
"""


async def examine_sandbox(settings: Settings) -> AsyncIterator[DoctorCheck]:
    """Yield every check as it is done; takes a few seconds and leaves nothing behind."""
    found = await asyncio.to_thread(machine.backend, settings)
    for check in found:
        yield check
    if any(check.status == "fail" for check in found):
        return
    backend = make_backend(settings)
    with OwnFolder("doctor") as folder:
        spec = replace(make_spec(settings), workspace=folder, limits=SMALL, allow_net=())
        async for check in _try_out(backend, spec):
            yield check


async def _try_out(backend: SandboxBackend, spec: SandboxSpec) -> AsyncIterator[DoctorCheck]:
    try:
        sandbox = await backend.start(spec)
    except SandboxUnavailable as error:
        yield DoctorCheck("start", "fail", str(error))
        return
    yield _timed("start", sandbox.info.start_seconds, SLOW_START)
    try:
        for look in CHECKS:
            yield await look(sandbox)
    except (SandboxError, TimeoutError) as error:
        yield DoctorCheck("sandbox", "fail", f"it did not last: {error}")
    began = time.monotonic()
    await sandbox.close()
    yield _timed("end", time.monotonic() - began, SLOW_END)


def _timed(name: str, seconds: float, slow: float) -> DoctorCheck:
    found = f"{seconds * 1e3:.0f} ms"
    if seconds > slow:
        return DoctorCheck(
            name, "warn", f"{found}, which is slow", "see whether the machine is busy"
        )
    return DoctorCheck(name, "ok", found)


async def _round_trip(sandbox: Sandbox) -> DoctorCheck:
    await sandbox.bash("true")
    began = time.monotonic()
    for _ in range(10):
        await sandbox.bash("true")
    seconds = (time.monotonic() - began) / 10
    if seconds > SLOW_ROUND_TRIP:
        return _timed("round trip", seconds, SLOW_ROUND_TRIP)
    return DoctorCheck("round trip", "ok", f"{seconds * 1e3:.1f} ms a command")


async def _programs(sandbox: Sandbox) -> DoctorCheck:
    names = " ".join(PROGRAMS)
    result = await sandbox.bash(f"for p in {names}; do type $p >/dev/null 2>&1 || echo $p; done")
    missing = result.output.decode("utf-8", "replace").split()
    if missing:
        where = "image" if sandbox.info.image else "machine"
        return DoctorCheck(
            "programs", "warn", f"missing: {', '.join(missing)}", f"add to the {where}"
        )
    return DoctorCheck("programs", "ok", ", ".join(PROGRAMS))


async def _python(sandbox: Sandbox) -> DoctorCheck:
    await sandbox.python("x = 20")
    result = await sandbox.python("x + 1")
    if result.output != b"21\n":
        return DoctorCheck("python", "fail", _words(result) or "no output", "rebuild the image")
    return DoctorCheck("python", "ok", "keeps its state")


async def _files(sandbox: Sandbox) -> DoctorCheck:
    data = bytes(range(256)) * 4096
    began = time.monotonic()
    await sandbox.write_file("doctor.bin", data)
    read = await sandbox.read_file("doctor.bin")
    seconds = time.monotonic() - began
    if read.data != data:
        return DoctorCheck("files", "fail", "a file came back as another than was written")
    return DoctorCheck("files", "ok", f"1 MiB written and read in {seconds * 1e3:.0f} ms")


async def _memory(sandbox: Sandbox) -> DoctorCheck:
    if "memory" in sandbox.info.unlimited:
        return _unlimited(sandbox, "memory")
    result = await sandbox.bash("python3 -c 'x = bytearray(1 << 30)'", fresh=True)
    if not result.out_of_memory:
        return DoctorCheck(
            "memory", "fail", f"1 GiB was had under a limit of 256 MiB: {_words(result)}"
        )
    return DoctorCheck("memory", "ok", "a process that wants too much is killed, and it is said so")


async def _processes(sandbox: Sandbox) -> DoctorCheck:
    if "pids" in sandbox.info.unlimited:
        return _unlimited(sandbox, "processes")
    command = "for i in $(seq 200); do sleep 5 & done; true"
    result = await sandbox.bash(command, fresh=True, timeout=10)
    await sandbox.kill_all()
    if "pids" not in result.limits_hit:
        return DoctorCheck("processes", "fail", f"200 were had under a limit of {SMALL.pids}")
    return DoctorCheck("processes", "ok", f"no more than {SMALL.pids}; the sandbox lives on")


async def _network(sandbox: Sandbox) -> DoctorCheck:
    result = await sandbox.python(NETWORK)
    if result.output or result.exit_code != 0:
        return DoctorCheck("network", "fail", _words(result))
    return DoctorCheck("network", "ok", "off: nothing is reached")


async def _escapes(sandbox: Sandbox) -> DoctorCheck:
    result = await sandbox.bash(ESCAPES, fresh=True)
    if result.output or result.exit_code != 0:
        return DoctorCheck("isolation", "fail", _words(result).replace("\n", "; "))
    return DoctorCheck("isolation", "ok", "no capability, no way to the engine or the runner")


CHECKS: tuple[Callable[[Sandbox], Awaitable[DoctorCheck]], ...] = (
    _round_trip,
    _programs,
    _python,
    _files,
    _memory,
    _processes,
    _network,
    _escapes,
)


def _unlimited(sandbox: Sandbox, name: str) -> DoctorCheck:
    return DoctorCheck(name, "warn", f"{sandbox.info.backend} sets no limit", "use Docker")


def _words(result: CommandResult) -> str:
    return result.output.decode("utf-8", "replace").strip()
