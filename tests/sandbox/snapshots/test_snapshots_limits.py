"""Snapshots at their edges: the format on disk, full stores, deep trees, leases, forks' rights."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.snapshots import SnapshotDamaged, SnapshotError, Snapshots, SnapshotStore
from tests.sandbox.trees import tree_of


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def snapshots(workspace: Path, store: SnapshotStore) -> Snapshots:
    return Snapshots(workspace, store)


def objects_in(store: SnapshotStore) -> int:
    with closing(sqlite3.connect(store.objects.folder / "index.sqlite")) as index:
        (count,) = index.execute("SELECT count(*) FROM objects").fetchone()
    return int(count)


async def test_a_tree_on_disk_is_the_documented_one(
    workspace: Path, store: SnapshotStore, snapshots: Snapshots
) -> None:
    """Recordings hold these hashes: another format would need a migration."""
    (workspace / "a.txt").write_text("hello\n")
    (workspace / "a.txt").chmod(0o644)
    os.symlink("a.txt", os.fsencode(workspace) + b"/\xff")
    tree = (await snapshots.snapshot()).tree_sha256
    written = (
        b'{"name":"a.txt","type":"file","mode":420,"size":6,"sha256":'
        b'"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}\n'
        b'{"name":"\\udcff","type":"symlink","target":"a.txt"}\n'
    )
    assert store.objects.get(tree, 1000) == written
    assert tree == hashlib.sha256(written).hexdigest()


async def test_unchanged_directories_cost_nothing_to_store(
    workspace: Path, store: SnapshotStore, snapshots: Snapshots
) -> None:
    for number in range(20):
        (workspace / f"d{number}").mkdir()
        (workspace / f"d{number}/same").write_text("the same")
    await snapshots.snapshot()
    assert objects_in(store) == 3, "one content, one tree of all twenty, one at the top"
    (workspace / "d7/same").write_text("another")
    await snapshots.snapshot()
    assert objects_in(store) == 6


async def test_a_store_opened_again_restores_what_another_wrote(
    workspace: Path, store: SnapshotStore, snapshots: Snapshots
) -> None:
    (workspace / "a").write_text("a")
    was, tree = tree_of(workspace), (await snapshots.snapshot()).tree_sha256
    (workspace / "a").unlink()
    later = SnapshotStore(store.objects.folder)
    assert await later.has(tree)
    await later.restore(tree, workspace)
    assert tree_of(workspace) == was


async def test_a_full_store_keeps_the_names(tmp_path: Path, workspace: Path) -> None:
    snapshots = Snapshots(workspace, SnapshotStore(tmp_path / "store", max_bytes=10_000))
    for number in range(4):
        (workspace / f"f{number}").write_bytes(os.urandom(6_000))
    assert [n.why for n in (await snapshots.snapshot()).not_kept] == ["store full"] * 2


async def test_too_many_entries_are_refused_with_the_remedy(
    workspace: Path, store: SnapshotStore
) -> None:
    for number in range(11):
        (workspace / str(number)).touch()
    with pytest.raises(SnapshotError, match=r"more than 10 entries\. Exclude"):
        await Snapshots(workspace, store, max_entries=10).snapshot()


async def test_setuid_does_not_follow_into_a_fork(
    tmp_path: Path, workspace: Path, store: SnapshotStore, snapshots: Snapshots
) -> None:
    """A fork is written by the user who runs sii, perhaps root."""
    (workspace / "sh").write_text("#!/bin/sh")
    (workspace / "sh").chmod(0o6755)
    await store.materialise((await snapshots.snapshot()).tree_sha256, tmp_path / "fork")
    assert (tmp_path / "fork/sh").stat().st_mode & 0o7777 == 0o755


async def test_a_leased_file_makes_nobody_wait(workspace: Path, snapshots: Snapshots) -> None:
    """A write lease holds up every process that opens the file, for 45 seconds."""
    (workspace / "leased").write_text("x")
    with (workspace / "leased").open("r+") as holder:
        fcntl.fcntl(holder, fcntl.F_SETSIG, 23)  # SIGURG, ignored, instead of SIGIO, which kills
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        held = await asyncio.wait_for(snapshots.snapshot(), 5)
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    assert [(n.path, n.why) for n in held.not_kept] == [("leased", "in use")]
    assert (await snapshots.snapshot()).not_kept == ()


async def test_directories_without_end_are_named_and_can_be_removed(
    workspace: Path, snapshots: Snapshots
) -> None:
    before = await snapshots.snapshot()
    make_deep(workspace, 1500)
    deep = await snapshots.snapshot()
    assert [n.why for n in deep.not_kept] == ["too deep"]
    restored = await snapshots.restore(before.tree_sha256)
    assert restored.missing == ()
    assert os.listdir(workspace) == []


def make_deep(folder: Path, depth: int) -> None:
    """Make directories within one another, deeper than a path can name."""
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)


async def test_a_path_longer_than_any_that_is_used_is_named_and_can_be_removed(
    workspace: Path, snapshots: Snapshots
) -> None:
    """A hundred thousand files below 128 names of 255 bytes would be named by gigabytes."""
    before = await snapshots.snapshot()
    fd = os.open(workspace, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 255, dir_fd=fd)
        inner = os.open("d" * 255, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    deep = await snapshots.snapshot()
    assert [(n.why, len(n.path)) for n in deep.not_kept] == [("too deep", 5 * 255 + 4)]
    assert (await snapshots.restore(before.tree_sha256)).missing == ()
    assert os.listdir(workspace) == []


SWAPPER = """
import os, sys
os.chdir(sys.argv[1])
open("file", "w").close()
while True:
    for number in range(50):
        os.symlink("target", "new")
        os.rename("new", f"{number}")
        os.link("file", "new")
        os.rename("new", f"{number}")
"""


@pytest.fixture
def swapper(workspace: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", SWAPPER, workspace])
    yield
    process.kill()
    process.wait()


@pytest.mark.usefixtures("swapper")
async def test_a_link_that_is_a_file_a_moment_later_ends_no_snapshot(snapshots: Snapshots) -> None:
    names = {"file", "new", *map(str, range(50))}
    for _ in range(300):
        taken = await snapshots.snapshot()
        assert {change.path for change in taken.changes} <= names


async def test_names_and_links_that_would_fill_the_memory_are_refused(
    workspace: Path, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.snapshots.scan._MAX_LINES", 100_000)
    (workspace / "f").write_text("x")
    await snapshots.snapshot()
    for number in range(5):
        os.symlink(b"\xff" * 4000, workspace / f"{number}")
        if number == 1:
            (workspace / "f").write_text("still kept")
            await snapshots.snapshot()
    with pytest.raises(SnapshotError, match="the targets of its links are longer"):
        await snapshots.snapshot()
    (workspace / "4").unlink()
    (workspace / "3").unlink()
    assert [change.path for change in (await snapshots.snapshot()).changes] == ["2"]


async def test_trees_do_not_grow_without_end(tmp_path: Path, workspace: Path) -> None:
    snapshots = Snapshots(workspace, SnapshotStore(tmp_path / "store", max_bytes=20_000))

    async def grow() -> None:
        while True:
            (workspace / os.urandom(100).hex()).write_text("")
            await snapshots.snapshot()

    with pytest.raises(SnapshotError, match="No more snapshots are kept"):
        await grow()
    assert len(os.listdir(workspace)) > 5
    assert bytes_in(tmp_path / "store/packs") < 50_000


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        b'{"name":"../out","type":"file","sha256":"%s"}' % (b"0" * 64),
        b'{"name":"..","type":"directory","sha256":"%s"}' % (b"0" * 64),
        b'{"name":"a","type":"directory","sha256":"../../../etc"}',
        b'{"name":"a","type":"file","mode":4095,"sha256":null}',
        b'{"name":"a\\u0000b","type":"symlink","target":"x"}',
        b'{"name":"a","type":"symlink","target":"x"}\n{"name":"a","type":"symlink","target":"y"}',
        b"[[[[",
    ],
)
async def test_a_forged_tree_writes_nothing(
    tmp_path: Path, store: SnapshotStore, line: bytes
) -> None:
    """A recording from elsewhere may bring any tree."""
    store.objects.prepare()
    forged = store.objects.put(line + b"\n")
    with pytest.raises(SnapshotDamaged):
        await store.materialise(forged, tmp_path / "fork")
    assert os.listdir(tmp_path / "fork") == []


async def test_a_cancelled_snapshot_ends_soon(workspace: Path, snapshots: Snapshots) -> None:
    for number in range(2000):
        (workspace / str(number)).write_text(str(number))
    task = asyncio.create_task(snapshots.snapshot())
    await asyncio.sleep(0.02)
    begin = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begin < 2


async def test_snapshots_asked_for_at_once_agree(workspace: Path, snapshots: Snapshots) -> None:
    for number in range(100):
        (workspace / str(number)).write_text(str(number))
    made = await asyncio.gather(*(snapshots.snapshot() for _ in range(8)))
    assert len({snapshot.tree_sha256 for snapshot in made}) == 1


async def test_a_store_that_cannot_be_written_says_why(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    snapshots = Snapshots(workspace, SnapshotStore(tmp_path / "occupied/store"))
    with pytest.raises(SnapshotError, match="cannot be written to"):
        await snapshots.snapshot()


@pytest.mark.parametrize("size", [1000, 3 << 20])
async def test_a_log_that_grows_meanwhile_is_kept_up_to_some_moment(
    tmp_path: Path, workspace: Path, store: SnapshotStore, snapshots: Snapshots, size: int
) -> None:
    log = workspace / "log"
    log.write_bytes(os.urandom(size))
    ending = threading.Event()
    writer = threading.Thread(target=append, args=(log, ending))
    writer.start()
    try:
        trees = [(await snapshots.snapshot()).tree_sha256 for _ in range(5)]
    finally:
        ending.set()
        writer.join()
    trees.append((await snapshots.snapshot()).tree_sha256)
    for number, tree in enumerate(trees):
        fork = tmp_path / f"fork-{number}"
        assert (await store.materialise(tree, fork)).missing == ()
        assert log.read_bytes().startswith((fork / "log").read_bytes())
    assert tree_of(fork) == tree_of(workspace)


def append(path: Path, ending: threading.Event) -> None:
    with path.open("ab", buffering=0) as file:
        while not ending.is_set():
            file.write(os.urandom(100))
