"""Reviewing: keys and waiting of an item, the first screen of a long recording, the queue.

    python -m benchmarks.bench_review [--items 5] [--steps 10000] [--megabytes 200]
        [--recordings 2000]

A script reviews each item as a person would: it jumps to every failed call, opens the diff, answers
two scales, flags the first wrong step, arms a verdict and sends it. Waiting is the time from a key
until what it asks for stands on the screen. The floor of the first screen is Python itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from benchmarks.bench_start import median, python
from benchmarks.figures import figure
from recordings.events import RoundEnd
from recordings.reviews.protocol import DEFAULT_PROTOCOL
from recordings.store.store import RecordingStore
from recordings.trust.first_start import working_key
from sii_cli.queue.order import QueueEntry, in_order
from sii_cli.review.queue import ReviewQueue
from tests.planted_faults import plant
from tests.recordings.recording_sessions import record_session
from tests.recordings.stepped_session import SteppedSession
from tests.sii_cli.terminal import Terminal

READY, NO_MORE = "no verdict", "there is no error after this"
_PATIENCE = 120.0
Result = TypeVar("Result")


class KeyedReviewer:
    """Reviews items in a terminal, and counts its keys and its waiting."""

    def __init__(self, home: Path) -> None:
        rubric = home / "questions.txt"
        rubric.write_text("goal reached\nchecks its work\n")
        argv = [sys.executable, "-m", "sii_cli.main", "review", "--rubric", str(rubric)]
        env = {"SII_HOME": str(home), "SII_SPEAKER": "ada"}
        self.terminal = Terminal(argv, cwd=home, env=env, rows=40, columns=120)
        self.keys = self.errors = 0
        self.waited = 0.0

    def wait(self, *texts: str) -> None:
        """Wait until one of these stands in the window."""
        began = time.perf_counter()
        while not any(text in (window := "\n".join(self.terminal.lines())) for text in texts):
            if time.perf_counter() - began > _PATIENCE:
                raise TimeoutError(window)
            self.terminal.pump()
        self.waited += time.perf_counter() - began

    def press(self, key: str, *texts: str) -> None:
        """Press a key and wait for what it shows."""
        self.terminal.send(key)
        self.keys += 1
        self.wait(*texts)

    def review(self, number: int, last: bool) -> None:
        """Review the item on the screen; the next one follows."""
        while NO_MORE not in "\n".join(self.terminal.lines()):
            before = self.terminal.lines()
            self.terminal.send("e")
            self.errors += 1
            began = time.perf_counter()
            while self.terminal.lines() == before:
                self.terminal.pump()
            self.waited += time.perf_counter() - began
        self.press("d", "the whole diff")
        self.press("4", "goal reached [4]")
        self.press("5", "checks its work [5]")
        self.press("f", "1 wrong")
        self.press("1", "flagged wrong")
        self.press("a", "APPROVE is armed", "✓ APPROVE")
        self.press("y", "waits for you now" if last else f" {number + 1} of ")
        if not last:
            self.wait(READY)

    def computed(self) -> float:
        """Return the CPU seconds of the process so far."""
        return computed_by(self.terminal)


def computed_by(terminal: Terminal) -> float:
    """Return the CPU seconds of a process so far: a busy machine changes them less."""
    fields = Path(f"/proc/{terminal.child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def review_items(count: int) -> tuple[float, float, float, float]:
    """Return keys, keys to failed calls, seconds of waiting, and of computing, of an item."""
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), count)
        reviewer = KeyedReviewer(Path(folder))
        reviewer.wait(READY)
        reviewer.waited, computed = 0.0, reviewer.computed()
        waits = []
        for number in range(1, count + 1):
            before = reviewer.waited
            reviewer.review(number, number == count)
            waits.append(reviewer.waited - before)
            if number == count - 1:
                computed = (reviewer.computed() - computed) / number
        reviewer.terminal.exit_code()
        keys, errors = reviewer.keys / count, reviewer.errors / count
        return keys, errors, statistics.median(waits[:-1]), computed


def record_long(home: Path, steps: int, megabytes: float) -> None:
    """Write a session of so many steps and bytes."""
    _, folder = RecordingStore(home / "recordings").create_folder()
    line = "a line of output, as long as such lines are, and a little more of it\n"
    text = line * int(megabytes * 1e6 / steps / len(line))
    with patch("os.fdatasync"):
        session = SteppedSession(folder, key=working_key(home))
        session.message("Do it.")
        for _ in range(steps):
            session.call("bash", '{"command": "make"}', text=text, exit_code=0)
        session.answer("Done.")
        session.recorder.record(RoundEnd(round=1, status="answered", steps=steps), "harness")
        session.recorder.close()


def open_long(home: Path) -> tuple[float, float, float]:
    """Return the seconds from `sii review` to its first content, those of them that it computed,
    and the seconds until keys act.
    """
    env = {"SII_HOME": str(home), "SII_SPEAKER": "ada"}
    argv = [sys.executable, "-m", "sii_cli.main", "review", "last"]
    began = time.perf_counter()
    terminal = Terminal(argv, cwd=home, env=env)
    terminal.wait_for("TASK", patience=_PATIENCE)
    first, computed = time.perf_counter() - began, computed_by(terminal)
    terminal.wait_for(READY, patience=_PATIENCE)
    whole = time.perf_counter() - began
    terminal.send("q")
    terminal.exit_code()
    return first, computed, whole


def queue_of(home: Path, recordings: int) -> tuple[float, float]:
    """Return the seconds until the first item of a queue, and from an item to the next."""
    (home / "recordings").mkdir()
    key, store = working_key(home), RecordingStore(home / "recordings")
    with patch("os.fdatasync"), patch("os.fsync"):
        for seed in range(recordings):
            _, folder = store.create_folder()
            record_session(folder, rounds=1, steps=1, words=5, seed=seed, key=key)
    with patch.dict(os.environ, {"SII_HOME": str(home)}):
        with ReviewQueue("ada", DEFAULT_PROTOCOL) as queue:
            queue.next()  # builds the index
        with ReviewQueue("ada", DEFAULT_PROTOCOL) as queue:
            first, one = _timed(queue.next)
            assert one is not None
            queue.skip(one)
            following, _ = _timed(queue.next)
    return first, following


def order_of(entries: int) -> float:
    """Return the CPU seconds until the first of so many waiting recordings is known."""
    waiting = [QueueEntry(f"20261130-{number:06}-abcdef", number) for number in range(entries)]
    began = time.process_time()
    next(in_order(waiting, "ada", held={}, skipped={}))
    return time.process_time() - began


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def main(items: int, steps: int, megabytes: float, recordings: int, runs: int) -> None:
    keys, errors, waited, computed = review_items(items)
    figure("review: keys an item, beside one a failed call", keys, "keys")
    figure("review: waiting an item", waited * 1e3, "ms")
    print(f"keys an item             {keys:6.1f}  (and {errors:.1f} to failed calls)")
    figure("review: computing an item", computed * 1e3, "ms")
    print(
        f"waiting an item          {waited * 1e3:6.0f} ms  (of it {computed * 1e3:.0f} computing)"
    )
    floor = median(python, runs)
    with tempfile.TemporaryDirectory() as folder:
        record_long(Path(folder), steps, megabytes)
        opened = [open_long(Path(folder)) for _ in range(runs + 1)][1:]
    first, computed, whole = (statistics.median(values) for values in zip(*opened, strict=True))
    name = f"{steps:,} steps, {megabytes:.0f} MB"
    figure(f"review: first content of {name}", first * 1e3, "ms", floor=floor * 1e3)
    figure(f"review: keys act on {name}", whole * 1e3, "ms", floor=floor * 1e3)
    figure(f"review: computing until then, {name}", computed * 1e3, "ms")
    print(
        f"first content            {first * 1e3:6.0f} ms  ({name}; {computed * 1e3:.0f} computing)"
    )
    print(f"keys act                 {whole * 1e3:6.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        begun, following = queue_of(Path(folder), recordings)
    figure(f"review: first item of {recordings:,}", begun * 1e3, "ms")
    figure(f"review: next item of {recordings:,}", following * 1e3, "ms")
    print(f"first item of {recordings:,}      {begun * 1e3:6.0f} ms")
    print(f"the next item            {following * 1e3:6.0f} ms")
    ordered = statistics.median(order_of(100_000) for _ in range(runs))
    figure("review: order of 100,000", ordered * 1e3, "ms")
    print(f"order of 100,000         {ordered * 1e3:6.0f} ms of computing")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=200.0)
    parser.add_argument("--recordings", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    main(**vars(arguments))
