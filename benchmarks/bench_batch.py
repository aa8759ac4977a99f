"""Many sessions at once: how many steps a second, at what memory, and how near to a GPU's ideal.

    python -m benchmarks.bench_batch [--sessions 32] [--steps 50] [--slow 128] [--peer PYTHON]

First, sessions of `bash` running `true N` in Docker against a server that answers at once, beside
mini-swe-agent in a thread pool on the same work (`--peer`: a Python that has it). Then sessions
whose server needs 20 ms a token, 200 tokens a step, against the time that the tokens alone need:
while all of them run, and from the command to the last session's end. At last, a query file of
5,000 lines. CPU is given in shares of one core: of this process, and of the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_loop import scripted_server
from benchmarks.figures import figure
from recordings.events import Event, Observation
from sandbox.protocol import SandboxSpec
from sii_cli.agent.event_channel import Item
from sii_cli.batch import runs
from sii_cli.batch.attempts import Attempts, read_attempts
from sii_cli.batch.plan.plan import Attempt, BatchPlan
from sii_cli.batch.running.admission import Admission
from sii_cli.batch.running.progress import Progress
from sii_cli.batch.running.runner import Runner
from sii_cli.batch.running.servers import ModelServers
from sii_cli.batch.runs import Account
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import Query
from sii_cli.queries.validate import validate

TOKENS = 200
TOKEN_SECONDS = 0.02
CALL_DELTAS = 9
"""Chunks of the call that ends a step, beside the tokens of thought."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened, and how much CPU time this process had used by then; seconds."""

    at: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.perf_counter(), time.process_time())

    def cpu_share(self, since: Moment) -> float:
        """Share of one core that was used since another moment."""
        return (self.cpu - since.cpu) / (self.at - since.at)


@dataclass(frozen=True)
class Run:
    """What a run took."""

    began: Moment
    ended: Moment
    """Starts and ends of sandboxes lie between."""
    steps: list[list[Moment]]
    """When each session's steps ended."""
    memory: float = 0.0
    """MB of the machine that it used at most."""

    @property
    def seconds(self) -> float:
        return self.ended.at - self.began.at

    def speed(self) -> float:
        """Return the steps a second in the middle of the run, when most sessions work."""
        ends = sorted(moment.at for session in self.steps for moment in session)
        steps = len(ends)
        quarter, rest = ends[steps // 4], ends[steps * 3 // 4]
        return (steps * 3 // 4 - steps // 4) / (rest - quarter)

    def __str__(self) -> str:
        steps = sum(map(len, self.steps))
        return (
            f"{self.speed():7.1f} steps/s amid the run, {steps / self.seconds:7.1f} starts included"
        )

    def amid(self) -> tuple[float, float]:
        """Return the steps a second while all sessions run, and this process's share of a core.

        Of each session only what lies between two of its own ends of steps is counted.
        """
        first = max((session[0] for session in self.steps), key=lambda moment: moment.at)
        last = min((session[-1] for session in self.steps), key=lambda moment: moment.at)
        within = [
            [moment.at for moment in session if first.at <= moment.at <= last.at]
            for session in self.steps
        ]
        assert all(len(those) > 1 for those in within), "too few steps: all never ran at once"
        speed = sum((len(those) - 1) / (those[-1] - those[0]) for those in within)
        return speed, last.cpu_share(first)


class Steps(Progress):
    """Notes when each step ended."""

    def __init__(self, total: int) -> None:
        super().__init__(total, Attempts())
        self.ends: defaultdict[str, list[Moment]] = defaultdict(list)

    def item(self, attempt: Attempt, item: Item) -> None:
        super().item(attempt, item)
        if isinstance(item, Event) and isinstance(item.data, Observation):
            self.ends[attempt.name].append(Moment.now())


async def run_batch(url: str, folder: Path, sessions: int, steps: int) -> Run:
    """Run one query so many times at once."""
    settings = Settings(base_url=url, home=folder, workspace=folder, max_steps=steps + 10)
    plan = BatchPlan("bench", "", str(folder), "", sessions, {}, 0, None, {})
    bench = SessionParts(settings, plan)
    attempts = list(plan.all_attempts([Query(id="count", query="count")]))
    executor, servers = LocalExecutor(bench), ModelServers(settings.base_urls, None)
    listener = Steps(len(attempts))
    admission, account = Admission(sessions, servers), Account(runs.Run(time.time()))
    runner = Runner(attempts, executor, admission=admission, listener=listener, account=account)
    began = Moment.now()
    watching = asyncio.create_task(_watch_memory())
    await runner.run()
    ended = Moment.now()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    outcomes = read_attempts(folder, "bench", attempts)
    assert len(outcomes.ended) == sessions, listener.last_errors
    return Run(began, ended, list(listener.ends.values()), _used.most - _used.first)


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
    image = SandboxSpec(Path()).image
    argv = [python, str(script), image, str(steps), str(sessions)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    ended = Moment(told["seconds"], 0.0)
    return Run(Moment(0.0, 0.0), ended, [[Moment(at, 0.0) for at in told["ends"]]])


def bench_fast(sessions: int, steps: int, peer: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, scripted_server(steps, "--many") as url:
        ours = asyncio.run(run_batch(url, Path(folder), sessions, steps))
    print(f"sii batch, {sessions} sessions of {steps} steps  {ours}")
    print(f"  CPU of sii                          {ours.ended.cpu_share(ours.began):7.1%}")
    figure("batch: steps a second", ours.speed(), "/s", more_is_better=True)
    figure("batch: memory a session", ours.memory / sessions, "MB")
    print(f"  memory a session, engine included   {ours.memory / sessions:7.1f} MB")
    if peer:
        theirs = run_peer(peer, sessions, steps)
        print(f"mini-swe-agent in a thread pool       {theirs}")
        print(f"  mini-swe-agent / sii                {theirs.seconds / ours.seconds:7.1f}x")


def bench_slow(sessions: int, steps: int) -> None:
    options = ("--many", "--slow", str(TOKEN_SECONDS), "--tokens", str(TOKENS))
    server = time.perf_counter(), _cpu_of_children()
    with tempfile.TemporaryDirectory() as folder, scripted_server(steps, *options) as url:
        run = asyncio.run(run_batch(url, Path(folder), sessions, steps))
    served = (_cpu_of_children() - server[1]) / (time.perf_counter() - server[0])
    step = (TOKENS + CALL_DELTAS) * TOKEN_SECONDS
    speed, share = run.amid()
    print(f"{sessions} sessions of {steps} steps at 20 ms a token, {step:.2f} s a step at best")
    print(f"  all at once: share of the ideal     {speed * step / sessions:7.1%}")
    ideal = speed * step / sessions * 100
    figure("batch: share of the ideal, all at once", ideal, "%", more_is_better=True)
    figure("batch: CPU of sii, all at once", share * 100, "%")
    print(f"  the whole run ({run.seconds:5.1f} s)           {step * steps / run.seconds:7.1%}")
    whole = run.ended.cpu_share(run.began)
    print(f"  CPU of sii, all at once, whole run  {share:7.1%}{whole:7.1%}")
    print(f"  CPU of the server                   {served:7.1%}")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
    figure("batch: 5,000 queries validated", seconds, "s", floor=floor)
    print(
        f"5,000 queries validated in {seconds:.2f} s ({seconds / floor:.1f}x of reading the JSON)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--slow", type=int, default=128)
    parser.add_argument("--slow-steps", type=int, default=20)
    parser.add_argument("--peer", metavar="PYTHON")
    options = parser.parse_args()
    bench_validation()
    if options.sessions:
        bench_fast(options.sessions, options.steps, options.peer)
    if options.slow:
        bench_slow(options.slow, options.slow_steps)
