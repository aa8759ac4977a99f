"""Overhead of a step: the whole product against a scripted server that answers at once.

    python -m benchmarks.bench_loop [--steps 50] [--long 1000] [--peer auto]

Each step is one `bash` call, `true N`, in a Docker sandbox, recorded and synced. Printed: in-loop
wall and CPU a step; beside it the floor of the same run (the same HTTP requests and the same
commands through the same client and runner, with no loop, no tools and no recording); the last
100 steps of a long session against its first 100; and recording's share of the CPU time, also
where a model streams its tokens one by one. With `--peer`, the same commands by the
loop and the Docker environment of mini-swe-agent in the same image, and both curves over the long
session: `auto` installs it in an environment of its own, a path is a Python that has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import figure
from benchmarks.peers import mini_swe_agent
from recordings.events import Event, ModelRequest
from recordings.recorder import Recorder
from recordings.storage.log import LogWriter
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import SandboxSpec
from sii_cli.config.settings import Settings
from sii_cli.model.types import STREAMING, ChatRequest
from sii_cli.model.vllm import VllmModel
from sii_cli.session.session import Session

REPO = Path(__file__).parent.parent
STREAMED_STEPS = 20
TOKENS = 200
"""A step, where they are streamed one by one."""
TOKEN_SECONDS = 0.002


@dataclass
class Cost:
    """What steps cost: seconds."""

    wall: float
    cpu: float
    each: list[float]

    def __str__(self) -> str:
        median = statistics.median(self.each) if self.each else self.wall
        return (
            f"wall {self.wall * 1e3:6.2f} ms  (median {median * 1e3:6.2f})  "
            f"cpu {self.cpu * 1e3:6.2f} ms"
        )


@contextmanager
def scripted_server(steps: int, *more: str) -> Iterator[str]:
    """Start the scripted server in a process of its own; yield its URL."""
    argv = [sys.executable, "-m", "tests.fakes.scripted_server", "--port", "0", "--bench"]
    argv += ["--steps", str(steps), *more]
    # Its own share is kept small: memory that it frees is not given back to the kernel each time.
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "67108864"}
    with subprocess.Popen(argv, cwd=REPO, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


async def measure_session(
    url: str, home: Path, workspace: Path, steps: int, *, snapshots: bool = True
) -> Cost:
    """Run one round of that many steps; the sandbox is up before the clock starts."""
    settings = Settings(
        base_url=url,
        home=home,
        workspace=workspace,
        max_steps=steps + 10,
        snapshots=snapshots,
        sources={},
    )
    session = await Session.open(settings, mode="headless")
    await session.sandbox()
    await session.served()
    cpu, began = time.process_time(), time.perf_counter()
    starts = [
        time.perf_counter()
        async for item in session.send("count")
        if isinstance(item, Event) and isinstance(item.data, ModelRequest)
    ]
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    await session.close()
    assert len(starts) == steps + 1, f"{len(starts) - 1} steps were taken"
    each = [later - earlier for earlier, later in pairwise(starts)]
    return Cost(wall / steps, cpu / steps, each)


async def measure_floor(url: str, workspace: Path, steps: int) -> Cost:
    """The same requests and commands, with nothing around them."""
    sandbox = await DockerBackend().start(SandboxSpec(workspace=workspace))
    model = VllmModel(base_url=url)
    served = await model.describe()
    cpu, began = time.process_time(), time.perf_counter()
    each: list[float] = []
    for step in range(steps):
        start = time.perf_counter()
        request = ChatRequest(f"floor-{step}", [b"{}"], None, {"model": served.name, **STREAMING})
        async for _ in model.stream(request):
            pass
        await sandbox.bash(f"true {step}")
        each.append(time.perf_counter() - start)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    await sandbox.close()
    await model.aclose()
    return Cost(wall / steps, cpu / steps, each)


def measure_peer(python: str, steps: int) -> Cost:
    """The same commands by mini-swe-agent, in the same image."""
    script = Path(__file__).with_name("peer_mini_swe_agent.py")
    argv = [python, str(script), SandboxSpec(Path()).image, str(steps)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Cost(told["wall"], told["cpu"], told["steps"])


class RecordingTime:
    """Adds up the CPU time of everything that a session asks of its recorder."""

    METHODS = ("record", "live", "flush", "put_blob")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.syncing = 0.0
        """Of these, in `fdatasync` itself."""
        self._inside = False
        self._lines: list[tuple[bytes, bool]] = []
        """What was written, and whether it was synced."""

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure recorders within this block."""
        kept, append = {name: getattr(Recorder, name) for name in self.METHODS}, LogWriter.append
        sync = os.fdatasync

        def synced(fd: int) -> None:
            start = time.thread_time()
            sync(fd)
            if self._inside:
                self.syncing += time.thread_time() - start

        def noted(log: LogWriter, line: bytes, *, durable: bool) -> None:
            self._lines.append((line, durable))
            append(log, line, durable=durable)

        for name, method in kept.items():
            setattr(Recorder, name, self._timed(method))
        LogWriter.append = noted  # type: ignore[method-assign, assignment]
        os.fdatasync = synced  # type: ignore[assignment]
        try:
            yield
        finally:
            os.fdatasync = sync
            LogWriter.append = append  # type: ignore[method-assign]
            for name, method in kept.items():
                setattr(Recorder, name, method)

    def share(self, cpu: float) -> str:
        """Tell the share of so many CPU seconds."""
        return f"{self.seconds / cpu:.1%} of the CPU time ({self.syncing / cpu:.1%} in fdatasync)"

    def floor(self, folder: Path) -> float:
        """CPU seconds that the same bytes and syncs take, with nothing around them."""
        fd = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        start = time.thread_time()
        for line, durable in self._lines:
            os.write(fd, line + b"\n")
            if durable:
                os.fdatasync(fd)
        seconds = time.thread_time() - start
        os.close(fd)
        return seconds

    def _timed(self, method: Callable[..., object]) -> Callable[..., object]:
        def timed(*args: object, **options: object) -> object:
            if self._inside:
                return method(*args, **options)
            self._inside, start = True, time.thread_time()
            try:
                return method(*args, **options)
            finally:
                self.seconds += time.thread_time() - start
                self._inside = False

        return timed


def curve(each: list[float]) -> str:
    """Median milliseconds of every hundred steps."""
    hundreds = [each[start : start + 100] for start in range(0, len(each), 100)]
    return " ".join(f"{statistics.median(part) * 1e3:6.1f}" for part in hundreds if len(part) > 50)


def peak_memory() -> float:
    """Highest memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def bench(steps: int, long: int, peer: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, workspace = Path(folder) / "home", Path(folder) / "workspace"
        workspace.mkdir()
        with scripted_server(steps) as url:
            await measure_session(url, home, workspace, steps)
        with scripted_server(steps) as url:
            ours = await measure_session(url, home, workspace, steps)
        with scripted_server(steps) as url:
            bare = await measure_session(url, home, workspace, steps, snapshots=False)
        with scripted_server(steps) as url:
            floor = await measure_floor(url, workspace, steps)
        print(f"sii, {steps} steps          {ours}")
        print(f"  without snapshots     {bare}")
        print(f"floor (http + command)  {floor}")
        for what, cost in (("step", ours), ("step without snapshots", bare)):
            figure(f"loop: {what}, wall", cost.wall * 1e3, "ms", floor=floor.wall * 1e3)
            figure(f"loop: {what}, CPU", cost.cpu * 1e3, "ms", floor=floor.cpu * 1e3)
        print(f"  sii / floor           wall {ours.wall / floor.wall:.2f}x")
        if peer:
            theirs = measure_peer(peer, steps)
            print(f"mini-swe-agent          {theirs}")
            ratios = (theirs.wall / ours.wall, theirs.cpu / ours.cpu)
            print(f"  mini-swe-agent / sii  wall {ratios[0]:.1f}x  cpu {ratios[1]:.1f}x")
        if long:
            before, recording = peak_memory(), RecordingTime()
            with scripted_server(long) as url, recording.measured():
                cost = await measure_session(url, home, workspace, long)
            first, last = (statistics.median(part) for part in (cost.each[:100], cost.each[-100:]))
            print(f"sii, {long} steps        {cost}")
            print(f"  last 100 / first 100  {last / first:.2f}x (medians)")
            cpu = cost.cpu * long
            figure("loop: last 100 steps of a long session", last * 1e3, "ms", floor=first * 1e3)
            figure("loop: memory of a long session", peak_memory(), "MB")
            raw = recording.floor(Path(folder))
            print(f"  recording             {recording.share(cpu)}")
            print(f"    the writes, alone   {raw / cpu:.1%} (the same bytes and syncs, afterwards)")
            print(f"  memory                {before:.0f} MB before, {peak_memory():.0f} MB at most")
            print(f"  a step, by hundreds     {curve(cost.each)} ms")
            await bench_streamed(home, workspace)
        if long and peer:
            theirs = measure_peer(peer, long)
            print(f"mini-swe-agent, {long} steps  {theirs}")
            print(f"  a step, by hundreds     {curve(theirs.each)} ms")


async def bench_streamed(home: Path, workspace: Path) -> None:
    """Recording's share where a model speaks token by token, as on a GPU, if a fast one."""
    recording, options = RecordingTime(), ("--tokens", str(TOKENS), "--slow", str(TOKEN_SECONDS))
    with scripted_server(STREAMED_STEPS, *options) as url, recording.measured():
        cost = await measure_session(url, home, workspace, STREAMED_STEPS)
    print(f"sii, {TOKENS} tokens a step    {cost}")
    print(f"  recording             {recording.share(cost.cpu * STREAMED_STEPS)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--long", type=int, default=1000)
    parser.add_argument("--peer", metavar="PYTHON", help="or `auto`")
    options = parser.parse_args()
    peer = mini_swe_agent() if options.peer == "auto" else options.peer
    asyncio.run(bench(options.steps, options.long, peer))
