"""The inbox: its first screen with many parked sessions, and a person's minutes for ten of them.

    python -m benchmarks.bench_inbox [--parked 1000] [--sessions 10] [--minute 1.0]

Minutes are active ones: gaps between two acts of the person count for three minutes at most. Both
ways the same person reads and writes, and the same scripted model works, in sessions that need two
replies; `--minute` is how many seconds stand for a minute. The first answers are left out: a batch
made them before, while nobody waited.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from benchmarks.bench_start import median, of_process
from benchmarks.figures import figure
from recordings.index.find import Filter
from sii_cli.batch.sessions import executor
from sii_cli.inbox.background import AT_ONCE, Background, Ending
from sii_cli.inbox.batches import Batches
from sii_cli.inbox.reply import record_done, record_reply
from sii_cli.inbox.waiting import WaitingSession, find_waiting
from sii_cli.options.settings import load_for_recordings
from tests.fakes.batch_server import BatchServer
from tests.fakes.consenting import consented
from tests.fakes.threads import in_a_thread
from tests.sii_cli.batch.sii_with_fake_sandboxes import FaultyBackend
from tests.sii_cli.inbox.place import make_parked
from tests.sii_cli.terminal import Terminal, clean_environment

READS = 40 / 60
"""Minutes in which the person reads an answer and writes the reply."""
WORKS = 5.0
"""Minutes in which the model works on a reply."""
REPLIES = 2
CAP = 3.0
"""Minutes that a gap between two acts counts at most."""
_TOKENS = 8
"""Of an answer of the scripted model."""
ROOT = Path(__file__).parents[1]


def first_screen(home: Path) -> tuple[float, int]:
    """Return the seconds until the first screen stands, and the process's memory in bytes."""
    argv = [sys.executable, "-m", "sii_cli.main", "inbox"]
    env = {"SII_HOME": str(home), "SII_SPEAKER": "ada"}
    terminal = Terminal(argv, cwd=home, env=env)
    began = time.perf_counter()
    while "TASK" not in "\n".join(terminal.lines()):
        terminal.pump()
    seconds = time.perf_counter() - began
    status = Path(f"/proc/{terminal.child.pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) << 10
    terminal.send("q")
    terminal.exit_code()
    return seconds, memory


def measure_first_screen(count: int) -> None:
    """Print the first screen with few and with many parked sessions."""
    screen = [sys.executable, "-c", "import prompt_toolkit.application"]
    floor = median(lambda: of_process(screen), 3)
    print(f"Python with prompt_toolkit: {floor:.2f} s")
    few_memory = 0
    for parked in (10, count):
        with tempfile.TemporaryDirectory() as name:
            home = Path(name)
            consented(home)
            make_parked(home, parked)
            cold, _ = first_screen(home)
            runs = sorted(first_screen(home) for _ in range(3))
            warm, memory = runs[1]
        few_memory = few_memory or memory
        print(
            f"{parked} parked: first screen after {warm:.2f} s (without an index {cold:.2f} s), "
            f"{memory / 1e6:.0f} MB"
        )
        figure(f"inbox: first screen, {parked} parked", warm, "s", floor=floor)
    print(f"memory of a parked session: {(memory - few_memory) / (count - 10) / 1e3:.1f} kB")


def run_batch(folder: Path, home: Path, server: BatchServer, sessions: int) -> None:
    """Run a batch whose sessions are parked at their first answers."""
    queries = "".join(f'{{"id": "q{one}", "query": "steps=0"}}\n' for one in range(sessions))
    (folder / "queries.jsonl").write_text(queries)
    program = [sys.executable, "-m", "tests.sii_cli.batch.sii_with_fake_sandboxes", "0"]
    env = {"SII_HOME": str(home), "SII_BASE_URL": server.base_url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*program, "batch", "queries.jsonl", "--feedback", "human", "--out", home / "batches/b"],
        cwd=folder,
        env=clean_environment() | env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5, done.stderr


class Person:
    """Reads and replies; keeps when."""

    def __init__(self, minute: float) -> None:
        self._minute = minute
        self._settings = load_for_recordings({"speaker": "ada"})
        self._answered: asyncio.Queue[WaitingSession | RuntimeError] = asyncio.Queue()
        self._background = Background(Batches(), AT_ONCE, ended=self._ended)
        self._acts: list[float] = []
        self._replies: dict[str, int] = {}

    @property
    def minutes(self) -> float:
        """Active ones."""
        gaps = zip(self._acts, self._acts[1:], strict=False)
        return sum(min(CAP, (after - before) / self._minute) for before, after in gaps)

    async def work(self, sessions: list[WaitingSession], *, in_turn: bool) -> None:
        """Bring the sessions to their end; `in_turn`: one after another."""
        for group in [[one] for one in sessions] if in_turn else [sessions]:
            for one in group:
                self._answered.put_nowait(one)
            left = len(group)
            while left:
                left -= await self._answer(await self._answered.get())
        await self._background.aclose()

    async def _answer(self, one: WaitingSession | RuntimeError) -> bool:
        """Read a session and say something; return whether it is done."""
        if isinstance(one, RuntimeError):
            raise one
        self._acts.append(time.monotonic())
        await asyncio.sleep(READS * self._minute)
        said = self._replies[one.id] = self._replies.get(one.id, 0) + 1
        if said > REPLIES:
            await asyncio.to_thread(record_done, one.folder, True, "", self._settings)
        else:
            await asyncio.to_thread(record_reply, one.folder, "And more.", self._settings)
            self._background.begin(one)
        self._acts.append(time.monotonic())
        return said > REPLIES

    def _ended(self, waiting: WaitingSession, how: Ending, why: str) -> None:
        self._answered.put_nowait(waiting if how == "answered" else RuntimeError(f"{how}: {why}"))


def minutes(sessions: int, minute: float, *, in_turn: bool) -> float:
    """Return the person's active minutes."""
    with tempfile.TemporaryDirectory() as name, in_a_thread(BatchServer()) as server:
        folder, home = Path(name), Path(name) / "home"
        consented(home)
        run_batch(folder, home, server, sessions)
        server._slow = WORKS * minute / _TOKENS
        backend = FaultyBackend(0.0, home)
        env = {"SII_HOME": str(home), "SII_BASE_URL": server.base_url, "SII_SPEAKER": "ada"}
        with (
            patch.dict(os.environ, env),
            patch.object(executor, "make_backend", lambda settings: backend),
        ):

            async def work() -> float:
                person = Person(minute)
                await person.work(find_waiting(Filter()), in_turn=in_turn)
                return person.minutes

            return asyncio.run(work())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--parked", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--minute", type=float, default=1.0)
    options = parser.parse_args()
    measure_first_screen(options.parked)
    through = minutes(options.sessions, options.minute, in_turn=False)
    alone = minutes(options.sessions, options.minute, in_turn=True)
    print(f"{options.sessions} sessions of {REPLIES} replies: {through:.1f} active minutes through")
    print(f"the inbox, {alone:.1f} one after another: {through / alone:.2f}")
    figure("inbox: a person's minutes", through, "min", floor=alone)
