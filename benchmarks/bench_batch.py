"""Many sessions at once: how many steps a second, at what memory, and how near to a GPU's ideal.

    python -m benchmarks.bench_batch [--sessions 32] [--steps 50] [--slow 128] [--peer PYTHON]

First, sessions of `bash` running `true N` in Docker against a server that answers at once, beside
mini-swe-agent in a thread pool on the same work (`--peer`: a Python that has it). Then sessions
whose server needs 20 ms a token, 200 tokens a step, against the time that the tokens alone need.
At last, a query file of 5,000 lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_loop import scripted_server
from recordings.events import Event, Observation
from sandbox.protocol import SandboxSpec
from sii_cli.batch.executor import Bench, LocalExecutor
from sii_cli.batch.gate import Gate
from sii_cli.batch.outcomes import Outcomes, read_outcomes
from sii_cli.batch.plan import Job, Plan
from sii_cli.batch.progress import Progress
from sii_cli.batch.queries import Query
from sii_cli.batch.runner import Runner
from sii_cli.batch.servers import ModelServers
from sii_cli.batch.validate import validate
from sii_cli.config import Settings
from sii_cli.wire import Item

TOKENS = 200
TOKEN_SECONDS = 0.02
CALL_DELTAS = 9
"""Chunks of the call that ends a step, beside the tokens of thought."""


@dataclass(frozen=True)
class Run:
    """What a run took."""

    seconds: float
    """From its beginning to its end, starts of sandboxes included."""
    ends: list[float]
    """When each step ended, in seconds from the beginning."""
    memory: float = 0.0
    """MB of the machine that it used at most."""

    def __str__(self) -> str:
        steps = len(self.ends)
        quarter, rest = self.ends[steps // 4], self.ends[steps * 3 // 4]
        amid = (steps * 3 // 4 - steps // 4) / (rest - quarter)
        return f"{amid:7.1f} steps/s amid the run, {steps / self.seconds:7.1f} starts included"


class Steps(Progress):
    """Notes when each step ended."""

    def __init__(self, total: int) -> None:
        super().__init__(total, Outcomes())
        self.ends: list[float] = []

    def item(self, job: Job, item: Item) -> None:
        super().item(job, item)
        if isinstance(item, Event) and isinstance(item.data, Observation):
            self.ends.append(time.perf_counter())


async def run_batch(url: str, folder: Path, sessions: int, steps: int) -> Run:
    """Run one query so many times at once."""
    settings = Settings(base_url=url, home=folder, workspace=folder, max_steps=steps + 10)
    plan = Plan("bench", "", str(folder), "", sessions, {}, 0, None, {})
    bench = Bench(settings, plan)
    jobs = list(plan.jobs([Query(id="count", query="count")]))
    executor, servers = LocalExecutor(bench), ModelServers(settings.base_urls, None)
    watcher = Steps(len(jobs))
    runner = Runner(jobs, executor, gate=Gate(sessions, servers), watcher=watcher)
    began = time.perf_counter()
    watching = asyncio.create_task(_watch_memory())
    await runner.run()
    seconds = time.perf_counter() - began
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    outcomes = read_outcomes(folder, "bench")
    assert len(outcomes.ended) == sessions, watcher.last_errors
    ends = [end - began for end in watcher.ends]
    return Run(seconds, ends, _used.most - _used.first)


class _Used:
    """Memory of the machine in use, MB: this process, the engine and the sandboxes."""

    first = 0.0
    most = 0.0


_used = _Used()


async def _watch_memory() -> None:
    _used.first = _used.most = _memory_in_use()
    while True:
        await asyncio.sleep(0.2)
        _used.most = max(_used.most, _memory_in_use())


def _memory_in_use() -> float:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return (total - free) / 1024


def run_peer(python: str, sessions: int, steps: int) -> Run:
    """The same work by mini-swe-agent."""
    script = Path(__file__).with_name("peer_mini_swe_agent.py")
    image = SandboxSpec.__dataclass_fields__["image"].default
    argv = [python, str(script), image, str(steps), str(sessions)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Run(told["seconds"], told["ends"])


def bench_fast(sessions: int, steps: int, peer: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, scripted_server(steps, "--many") as url:
        ours = asyncio.run(run_batch(url, Path(folder), sessions, steps))
    print(f"sii batch, {sessions} sessions of {steps} steps  {ours}")
    print(f"  memory a session, engine included   {ours.memory / sessions:7.1f} MB")
    if peer:
        theirs = run_peer(peer, sessions, steps)
        print(f"mini-swe-agent in a thread pool       {theirs}")
        print(f"  mini-swe-agent / sii                {theirs.seconds / ours.seconds:7.1f}x")


def bench_slow(sessions: int, steps: int) -> None:
    options = ("--many", "--slow", str(TOKEN_SECONDS), "--tokens", str(TOKENS))
    with tempfile.TemporaryDirectory() as folder, scripted_server(steps, *options) as url:
        seconds = asyncio.run(run_batch(url, Path(folder), sessions, steps)).seconds
    ideal = (TOKENS + CALL_DELTAS) * TOKEN_SECONDS * steps
    print(f"{sessions} sessions at 20 ms a token: {seconds:.1f} s, the tokens alone {ideal:.1f} s")
    print(f"  share of the ideal throughput       {ideal / seconds:7.1%}")


def bench_validation() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.jsonl"
        query = {"query": "Count the lines.", "workspace": ".", "check": "true", "tags": ["a"]}
        with path.open("w") as file:
            file.writelines(json.dumps({"id": f"q{n}", **query}) + "\n" for n in range(5000))
        began = time.perf_counter()
        assert not validate(path).mistakes
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        for line in path.open():
            json.loads(line)
        floor = time.perf_counter() - began
    print(
        f"5,000 queries validated in {seconds:.2f} s ({seconds / floor:.1f}x of reading the JSON)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--slow", type=int, default=128)
    parser.add_argument("--slow-steps", type=int, default=5)
    parser.add_argument("--peer", metavar="PYTHON")
    options = parser.parse_args()
    bench_validation()
    bench_fast(options.sessions, options.steps, options.peer)
    if options.slow:
        bench_slow(options.slow, options.slow_steps)
