"""What recording costs, and how fast recordings are checked, listed, searched and replayed.

    python -m benchmarks.bench_recordings [--recordings 10000] [--megabytes 50]

Every figure stands beside the floor of the same run where there is one: a raw write + fdatasync
for a synced event, sha256 over the same bytes for verifying.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pty
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.figures import figure
from recordings.conversation.restore import restore
from recordings.events import Event, EventData, LiveDelta, Observation, Origin
from recordings.index.find import Filter, find, search
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import SecretFinder
from recordings.storage.log import LOG, read_events
from recordings.storage.pack import pack
from recordings.store.collection import Collection
from recordings.store.summary import summarise
from recordings.verify import verify
from tests.recordings.recording_sessions import FakeSession, session_start
from tests.recordings.recording_size import size_ratio

ROOT = Path(__file__).parents[1]


def p50(action: Callable[[], object], times: int) -> float:
    """Median seconds of an action."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def best(action: Callable[[], object], times: int = 3) -> float:
    """Least seconds of an action: what it costs when nothing else runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return min(taken)


class Clock:
    """Stands in for `time` in the recorder: text streams at 50 pieces a second."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return 1.7e9 + self.now

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now


@contextmanager
def no_sync() -> Iterator[None]:
    """Make recordings for the figures without waiting for the disk."""
    with (
        patch("os.fdatasync"),
        patch("os.fsync"),
        patch("recordings.recorder.time", Clock()),
    ):
        yield


def long_session(folder: Path, *, steps: int, words: int) -> FakeSession:
    with no_sync():
        session = FakeSession(Recorder.create(folder, folder.name), words=words)
        session.note(session_start(), "harness")
        for _ in range(steps // 45):
            session.round(45)
        session.end()
    return session


def recording(folder: Path) -> None:
    observation = Observation(step=3, call_id="c", name="bash", text="x" * 2000, seconds=0.1)
    recorder = Recorder.create(folder, "s")
    raw = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    line = b"x" * 2400 + b"\n"

    def write() -> None:
        os.write(raw, line)
        os.fdatasync(raw)

    floor, event = [], []
    for _ in range(10):  # in turns, for the disk has moods
        floor.append(p50(write, 100))
        event.append(p50(lambda: recorder.record(observation, "tool"), 100))
    synced, bare = statistics.median(event) * 1e3, statistics.median(floor) * 1e3
    figure("recordings: synced event", synced, "ms", floor=bare)
    print(f"synced event       {synced:8.3f} ms p50   floor {bare:.3f} ms, {synced / bare:.2f}x")
    delta = LiveDelta(1, "content", " word")
    start = time.perf_counter()
    for _ in range(50_000):
        recorder.live(delta)
    print(f"streamed piece     {(time.perf_counter() - start) / 50_000 * 1e6:8.2f} µs mean")
    redactor = Redactor(SecretFinder({"API_KEY": "zq8Kd2-hX7wPb4Tn"}, "patterns"))
    print(f"redactor, 2 kB     {p50(lambda: redactor.data(observation), 300) * 1e6:8.1f} µs p50")
    recorder.close()


class Timed(Recorder):
    """Adds up the CPU time that recording takes."""

    spent = 0.0

    def record(self, data: EventData, origin: Origin, *, sync: bool = True) -> Event:
        start = time.thread_time()
        event = super().record(data, origin, sync=sync)
        self.spent += time.thread_time() - start
        return event


def flatness(folder: Path) -> None:
    recorder = Timed.create(folder, "s")
    assert isinstance(recorder, Timed)
    session = FakeSession(recorder, words=100)
    session.note(session_start(), "harness")
    session.round(1)
    cpu = []
    for _ in range(1000):
        before = recorder.spent
        session.step(calls=1)
        cpu.append(recorder.spent - before)
    first, last = statistics.median(cpu[:100]) * 1e3, statistics.median(cpu[-100:]) * 1e3
    figure("recordings: step 1,000, CPU", last, "ms", floor=first)
    print(f"1,000 steps        {first:8.3f} ms CPU a step at first, {last:.3f} ms at last")
    recorder.close()


def size(folder: Path) -> None:
    """A 90-step session whose context reaches about 100k tokens; four characters a token."""
    long_session(folder, steps=90, words=550)
    ratio = size_ratio(folder)
    log = (folder / LOG).stat().st_size
    tokens = len(restore(folder).trail)
    packed = pack(folder)
    print(
        f"size, {tokens} tokens  {ratio:6.2f}x distinct text and ids "
        f"({log / 1e6:.1f} MB; packed {packed.after / packed.before:.2f} of that, with blobs)"
    )


def first_frame(folder: Path) -> None:
    """Start `sii replay` in a terminal of its own and wait until it shows the session."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "sii_cli.main", "replay", folder.name]
    env = os.environ | {"SII_HOME": str(folder.parents[1]), "TERM": "xterm-256color"}
    with subprocess.Popen(
        argv, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as it:
        shown = b""
        while b"http://m" not in shown:
            shown += os.read(ours, 1 << 16)
        it.kill()
    os.close(ours)
    os.close(theirs)


def reading(folder: Path, megabytes: int) -> None:
    long_session(folder, steps=int(megabytes * 50), words=250)
    log = (folder / LOG).stat().st_size / 1e6
    floor = best(lambda: hashlib.sha256((folder / LOG).read_bytes()).digest())
    result = verify(folder)
    assert result.whole, result.problems[:3]
    taken = best(lambda: verify(folder))
    total = result.bytes / 1e6
    rate = total / taken
    figure("recordings: verify", rate, "MB/s", floor=log / floor, more_is_better=True)
    print(
        f"verify             {total / taken:8.0f} MB/s      sha256 alone {log / floor:.0f} MB/s "
        f"({total:.0f} MB, {result.lines} lines)"
    )
    print(
        f"read_events        {log / best(lambda: sum(1 for _ in read_events(folder)), 1):8.0f} MB/s"
    )
    print(f"replay, first frame{best(lambda: first_frame(folder)):8.3f} s   (a process, in a pty)")
    print(f"summary            {best(lambda: summarise(folder)) * 1e3:8.2f} ms")
    print(f"restore (resume)   {log / best(lambda: restore(folder), 1):8.0f} MB/s")


def many(home: Path, count: int, batches: int = 0) -> None:
    """Measure lists and searches of a home with all recordings in its own store, or in batches."""
    store = Collection(home).own
    with no_sync():
        for seed in range(40):
            _, folder = store.create_folder()
            session = FakeSession(Recorder.create(folder, folder.name), seed=seed, words=40)
            session.note(session_start(batch=f"b{seed % 4}"), "harness")
            session.round(5, message=f"task number {seed}")
            session.end()
    made = store.ids()
    for number in range(count - len(made)):
        part = home / "batches" / f"b{number % batches}" if batches else home
        name = f"2025{number % 12 + 1:02d}{number % 28 + 1:02d}-000000-{number:06x}"
        copy = part / "recordings" / name
        copy.mkdir(parents=True)
        shutil.copy(store.root / made[number % 40] / LOG, copy / LOG)
    where = f"{count} in {batches} batches" if batches else f"{count}"
    with open_index(home) as index:
        start = time.perf_counter()
        index.refresh()
        taken = time.perf_counter() - start
        size = index.path.stat().st_size / 1e6
    print(f"index, from nothing{taken:8.1f} s         {where} recordings, {size:.0f} MB")

    def with_index(action: Callable[[RecordingIndex], object]) -> float:
        def act() -> None:
            with open_index(home) as index:
                index.refresh()
                action(index)

        return best(act)

    newest = with_index(lambda i: find(i, limit=50))
    figure(f"recordings: list of {where}, 50 newest", newest, "s")
    print(f"list, 50 newest    {newest:8.3f} s   (with the refresh)")
    print(
        f"list, filtered     "
        f"{with_index(lambda i: find(i, Filter(batch='b1', tool='bash'), limit=50)):8.3f} s"
    )
    print(f"list, all          {with_index(find):8.3f} s")
    print(f"search, common word{with_index(lambda i: list(search(i, 'ledger cents'))):8.3f} s")
    print(f"search, rare word  {with_index(lambda i: list(search(i, 'number 17'))):8.3f} s")


def open_index(home: Path) -> RecordingIndex:
    """Open a home's index, as `sii list` does."""
    collection = Collection(home)
    return RecordingIndex(collection.own, batches=collection.batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=50)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="sii-bench-"))
    try:
        for number, part in enumerate((recording, flatness, size)):
            folder = root / str(number)
            folder.mkdir()
            part(folder)
        long = root / "home" / "recordings" / "20260101-000000-000000"
        long.mkdir(parents=True)
        reading(long, options.megabytes)
        many(root / "many", options.recordings)
        many(root / "batches", options.recordings, batches=100)
        print(
            f"memory             {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} "
            "MB at most (making the recordings included)"
        )
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
