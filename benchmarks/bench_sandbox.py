"""The sandbox's figures, each beside its floor or its peer in the same run.

    python -m benchmarks.bench_sandbox [--many 100] [--image NAME]

Round trips beside the attached stream's ping (floor) and `docker exec` (peer); cold
starts; files; a gigabyte of output; many sandboxes at once. Figures of a busy machine are
worth little: run it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.figures import figure
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxSpec

MIB = 1 << 20


def show(name: str, figure: str, note: str = "") -> None:
    print(f"{name:34} {figure:>34}  {note}", flush=True)


def milliseconds(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"p50 {statistics.median(ordered) * 1e3:8.2f}  p95 {p95 * 1e3:8.2f} ms"


async def time_of(call: Callable[[], Awaitable[object]]) -> float:
    begin = time.perf_counter()
    await call()
    return time.perf_counter() - begin


async def round_trips(sandbox: Sandbox, rounds: int) -> None:
    """Calls in turn, so that a busy moment touches all of them alike."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ping (floor)": sandbox.ping,
        "bash, builtin": lambda: sandbox.bash(":"),
        "bash, /bin/true": lambda: sandbox.bash("/bin/true"),
        "bash, fresh": lambda: sandbox.bash(":", fresh=True),
        "python, 1 + 1": lambda: sandbox.python("1 + 1"),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    cpu = dict.fromkeys(calls, 0.0)
    for call in calls.values():
        await call()
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.process_time()
            times[name].append(await time_of(call))
            cpu[name] += time.process_time() - begin
    floor = statistics.median(times["ping (floor)"])
    for name, seconds in times.items():
        ratio = statistics.median(seconds) / floor
        note = f"{ratio:5.2f} x ping, client CPU {cpu[name] / rounds * 1e3:.2f} ms"
        figure(f"sandbox: {name.strip()}", statistics.median(seconds) * 1e3, "ms")
        show(name, milliseconds(seconds), note)


def docker_exec(sandbox: Sandbox, rounds: int) -> None:
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(["docker", "exec", sandbox.info.sandbox_id, "true"], check=True)
        times.append(time.perf_counter() - begin)
    show("docker exec true (peer)", milliseconds(times))


async def starts(backend: DockerBackend, spec: SandboxSpec, rounds: int) -> None:
    cold, closing = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        sandbox = await backend.start(spec)
        await sandbox.bash(":")
        cold.append(time.perf_counter() - begin)
        closing.append(await time_of(sandbox.close))
    figure("sandbox: cold start and first command", statistics.median(cold) * 1e3, "ms")
    show("cold start and first command", milliseconds(cold))
    show("close", milliseconds(closing))


async def files(sandbox: Sandbox, rounds: int = 10) -> None:
    data = os.urandom(10 * MIB)
    writes = [await time_of(lambda: sandbox.write_file("f", data)) for _ in range(rounds)]
    reads = [await time_of(lambda: sandbox.read_file("f")) for _ in range(rounds)]
    for name, seconds in (("write", writes), ("read", reads)):
        rate = 10 / statistics.median(seconds)
        figure(f"sandbox: {name} 10 MiB", rate, "MiB/s", more_is_better=True)
        show(f"{name} 10 MiB", f"{10 / statistics.median(seconds):8.0f} MiB/s")


def pipe_to_cat() -> float:
    begin = time.perf_counter()
    subprocess.run("head -c 1000000000 /dev/zero | cat > /dev/null", shell=True, check=True)
    return time.perf_counter() - begin


async def gigabyte(sandbox: Sandbox) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = await time_of(lambda: sandbox.bash("head -c 1000000000 /dev/zero"))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    floor = pipe_to_cat()
    figure("sandbox: 1 GB of output", seconds, "s", floor=floor)
    show(
        "1 GB of output",
        f"{seconds:8.2f} s",
        f"client peak +{grown:.0f} MiB; pipe to cat {floor:.2f} s",
    )


def available_memory() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no MemAvailable")


async def many(backend: DockerBackend, spec: SandboxSpec, count: int) -> None:
    memory = available_memory()
    begin = time.perf_counter()
    sandboxes = await asyncio.gather(*(backend.start(spec) for _ in range(count)))
    started = time.perf_counter() - begin
    await asyncio.sleep(1)
    each = (memory - available_memory()) / count / MIB
    pings = [await one.ping() for one in sandboxes]
    begin = time.perf_counter()
    await asyncio.gather(*(one.close() for one in sandboxes))
    ended = time.perf_counter() - begin
    names = {one.info.sandbox_id for one in sandboxes}
    wait_until_gone(names)
    gone = time.perf_counter() - begin
    show(f"{count} sandboxes: start", f"{started:8.1f} s", f"{each:.1f} MiB of host memory each")
    show(f"{count} sandboxes: ping", milliseconds(pings))
    show(f"{count} sandboxes: end", f"{ended:8.1f} s", f"no container left after {gone:.1f} s")


def wait_until_gone(names: set[str]) -> None:
    while names & listed():
        time.sleep(0.05)


def listed() -> set[str]:
    command = ["docker", "ps", "-a", "--format", "{{.Names}}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


async def measure(arguments: argparse.Namespace, workspace: Path) -> None:
    spec = SandboxSpec(workspace=workspace, image=arguments.image)
    backend = DockerBackend()
    await starts(backend, spec, 7)
    sandbox = await backend.start(spec)
    await round_trips(sandbox, 300)
    docker_exec(sandbox, 10)
    await files(sandbox)
    await gigabyte(sandbox)
    await sandbox.close()
    await many(backend, spec, arguments.many)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=100, help="sandboxes at once")
    parser.add_argument("--image", default="sii-sandbox:latest")
    with tempfile.TemporaryDirectory() as workspace:
        asyncio.run(measure(parser.parse_args(), Path(workspace)))


if __name__ == "__main__":
    main()
