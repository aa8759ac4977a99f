"""Cost of workspace snapshots, beside the floors of the same run: `stat` of every file, `tar c`,
`tar x`.

    python -m benchmarks.bench_snapshots [--files 1000] [--huge 100000] [--repeat 50]

Printed: the first snapshot, a step that changed nothing, one that changed a small file (both with
the hop to the thread and back), undoing that change, and for the huge workspace also memory and
how late the event loop's turns are. On a busy machine only the CPU figures mean something.
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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import figure
from sandbox.snapshots import Snapshots, SnapshotStore

_FILES_A_DIRECTORY = 20
_SETTLE = 0.05
"""Seconds until a written file's time cannot be mistaken for a later one's."""


def fill(workspace: Path, files: int) -> list[Path]:
    """Write source-like files of 1–3 kB, 20 in a directory."""
    paths = []
    for number in range(files):
        folder = workspace / f"d{number // 1000}" / f"d{number // _FILES_A_DIRECTORY}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"file_{number}.py"
        path.write_text(
            f"def function_{number}(x):\n    return x + {number}\n\n" * (20 + number % 40)
        )
        paths.append(path)
    return paths


def stat_all(folder: str) -> None:
    """The floor: what any scan in this language has to do."""
    with os.scandir(folder) as found:
        for item in found:
            if item.stat(follow_symlinks=False).st_mode & 0o170000 == 0o040000:
                stat_all(item.path)


def tar(folder: Path, target: Path) -> None:
    """The floor of a first snapshot: every file read, one written."""
    subprocess.run(["tar", "-cf", target, "-C", folder, "."], check=True)


def untar(archive: Path, folder: Path) -> None:
    """The floor of a tree that is materialised: one file read, every file written."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)


class Cost:
    """What repetitions of one thing cost: milliseconds of wall time and of the process's CPU."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.wall: list[float] = []
        self.cpu: list[float] = []

    @contextmanager
    def measured(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.append((time.perf_counter() - wall) * 1e3)
        self.cpu.append((time.process_time() - cpu) * 1e3)

    def show(self, floor: Cost | None = None) -> None:
        wall, cpu = sorted(self.wall), sorted(self.cpu)
        p50 = statistics.median(cpu)
        least = statistics.median(floor.cpu) if floor else None
        figure(f"snapshots: {self.what}, CPU", p50, "ms", floor=least)
        note = f"{p50 / statistics.median(floor.cpu):6.2f} × the floor" if floor else ""
        print(
            f"  {self.what:<28} wall min {wall[0]:9.2f}  p50 {statistics.median(wall):9.2f}   "
            f"cpu min {cpu[0]:9.2f}  p50 {p50:9.2f} ms {note}",
            flush=True,
        )


async def small(folder: Path, files: int, repeat: int) -> None:
    workspace = folder / "workspace"
    paths = fill(workspace, files)
    time.sleep(_SETTLE)  # noqa: ASYNC251
    store = SnapshotStore(folder / "store")
    snapshots = Snapshots(workspace, store)
    print(f"{files:,} files:")
    await once("first snapshot", snapshots.snapshot)
    floor, nothing = Cost("floor: stat of every file"), Cost("nothing changed")
    one, undone = Cost("one small file changed"), Cost("undone (restore)")
    before = await snapshots.snapshot()
    for _ in range(repeat):
        with floor.measured():
            stat_all(os.fspath(workspace))
        with nothing.measured():
            await snapshots.snapshot()
    for turn in range(repeat):
        path = paths[turn * 37 % len(paths)]
        path.write_text(path.read_text() + f"# {turn}\n")
        with one.measured():
            after = await snapshots.snapshot()
        assert [change.kind for change in after.changes] == ["modified"]
        with undone.measured():
            restored = await snapshots.restore(before.tree_sha256)
        assert restored.tree_sha256 == before.tree_sha256
    for cost in (floor, nothing, one, undone):
        cost.show(floor)


async def huge(folder: Path, files: int) -> None:
    workspace = folder / "workspace"
    paths = fill(workspace, files)
    time.sleep(_SETTLE)  # noqa: ASYNC251
    store = SnapshotStore(folder / "store")
    snapshots = Snapshots(workspace, store)
    print(f"{files:,} files:")
    floor = Cost("floor: tar of the same tree")
    for _ in range(2):
        with floor.measured():
            tar(workspace, folder / "floor.tar")
    floor.show()
    memory = resident()
    stalls: list[float] = []
    watching = asyncio.create_task(watch_loop(stalls))
    first = await once(f"first snapshot of {files:,}", snapshots.snapshot)
    print(f"  {first.wall[0] / min(floor.wall):.1f} × tar (wall)")
    before = await snapshots.snapshot()
    kept, peak = resident() - memory, highest() - memory
    print(f"  memory: {kept / 1e6:.0f} MB kept, {peak / 1e6:.0f} MB at most")
    nothing = Cost(f"nothing of {files:,} changed")
    for _ in range(5):
        with nothing.measured():
            await snapshots.snapshot()
    nothing.show()
    watching.cancel()
    stalls.sort()
    print(
        f"  the loop's turns meanwhile were late by {statistics.median(stalls):.1f} ms (p50), "
        f"{stalls[int(len(stalls) * 0.99)]:.1f} ms (p99), {stalls[-1]:.1f} ms at most"
    )
    for path in paths[::1000]:
        path.write_text("changed\n")
    await once(f"{len(paths[::1000])} files changed", snapshots.snapshot)
    await once("many undone (restore)", lambda: snapshots.restore(before.tree_sha256))
    unpacked, made = Cost("floor: tar x of the same tree"), Cost("materialised")
    for turn in range(2):
        with unpacked.measured():
            untar(folder / "floor.tar", folder / f"unpacked-{turn}")
        with made.measured():
            await store.materialise(before.tree_sha256, folder / f"made-{turn}")
    unpacked.show()
    made.show()
    print(f"  {min(made.wall) / min(unpacked.wall):.1f} × tar x (wall)")


async def once(what: str, work: Callable[[], Awaitable[object]]) -> Cost:
    cost = Cost(what)
    with cost.measured():
        await work()
    cost.show()
    return cost


async def watch_loop(stalls: list[float]) -> None:
    """Note by how many milliseconds the loop is late for a millisecond's sleep."""
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        stalls.append((time.perf_counter() - begin) * 1e3 - 1)


def resident() -> int:
    """Bytes of memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def highest() -> int:
    """Bytes of memory this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--huge", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sii-bench-") as folder:
        asyncio.run(small(Path(folder) / "small", options.files, options.repeat))
        if options.huge:
            asyncio.run(huge(Path(folder) / "huge", options.huge))


if __name__ == "__main__":
    main()
