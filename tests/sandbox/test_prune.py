"""Pruning a store: what is named stays byte for byte, all else goes, whoever is at work or dies."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from sandbox.snapshots import Pruner, SnapshotDamaged, SnapshotError, Snapshots, SnapshotStore
from sandbox.snapshots.pack import read_tables
from sandbox.snapshots.packs import Packs
from sandbox.snapshots.prune import Pruned
from sandbox.snapshots.usage import at_work
from tests.fakes.killed_child import kill_at_random
from tests.sandbox.test_snapshots_properties import ACTIONS, act
from tests.sandbox.trees import Tree, tree_of

LARGE = 3 << 20


def prune(folder: Path, named: Iterable[str], *, dry_run: bool = False) -> Pruned:
    store = SnapshotStore(folder)
    store.objects.prepare()
    pruner = Pruner(store.objects, dry_run=dry_run)
    try:
        with pruner.cleaning():
            with pruner.alone():
                pruner.mark(named)
                pruner.take_out()
            pruner.write_anew()
    finally:
        pruner.close()
        store.close()
    return pruner.result


def keep(folder: Path, workspace: Path) -> str:
    """Take a snapshot as a session of its own; return its tree."""
    store = SnapshotStore(folder)
    snapshots = Snapshots(workspace, store)
    try:
        return asyncio.run(snapshots.snapshot()).tree_sha256
    finally:
        snapshots.close()
        store.close()


def written(folder: Path, tree: str, target: Path) -> Tree:
    store = SnapshotStore(folder)
    try:
        assert store.write_tree(tree, target).missing == ()
    finally:
        store.close()
    return tree_of(target)


def lost_of(folder: Path, tree: str) -> str | None:
    store = SnapshotStore(folder)
    try:
        return store.completeness().lost(tree)
    finally:
        store.close()


def readable(folder: Path, tree: str) -> list[str]:
    """The contents of a flat tree that can be read."""
    objects = SnapshotStore(folder).objects
    found = []
    for sha256 in re.findall(r'"sha256":"(\w+)"', objects.get(tree, 1 << 20).decode()):
        with suppress(SnapshotError):
            objects.get(sha256, 1 << 20)
            found.append(sha256)
    objects.close()
    return found


def objects_in(folder: Path) -> set[str]:
    """Everything that stands in the store's files, whatever its index says."""
    packs = sorted((folder / "packs").iterdir())
    packed = {
        sha.hex() for path in packs for table in read_tables(str(path)) for sha, *_ in table.objects
    }
    return packed | {path.parent.name + path.name for path in folder.glob("objects/??/*")}


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def fill(workspace: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(50):
        folder = workspace / f"d{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}-{number}").write_bytes(chance.randbytes(3000))
    (workspace / f"{seed}-large").write_bytes(chance.randbytes(LARGE))


def test_what_is_named_stays_and_all_else_goes(
    store: Path, workspace: Path, tmp_path: Path
) -> None:
    fill(workspace, 1)
    first, was = keep(store, workspace), tree_of(workspace)
    only_first = objects_in(store)
    fill(workspace, 2)
    keep(store, workspace)
    before = size_of(store)
    would = prune(store, [first], dry_run=True)
    assert size_of(store) == pytest.approx(before, abs=64 << 10), "a dry run touches nothing"
    pruned = prune(store, [first])
    assert pruned.objects == would.objects > 50
    assert pruned.bytes == pytest.approx(before - size_of(store), rel=0.1)
    assert would.bytes == pytest.approx(pruned.bytes, rel=0.1)
    assert objects_in(store) == only_first
    assert prune(store, [first]) == Pruned()
    assert written(store, first, tmp_path / "out") == was
    assert prune(store, []).objects >= len(only_first)
    assert objects_in(store) == set()
    assert size_of(store) < 64 << 10


def test_one_object_of_a_block_goes_without_its_neighbours(store: Path, workspace: Path) -> None:
    """A secret that stood in a file is gone, though what was kept with it stays."""
    (workspace / "a").write_bytes(b"keep me")
    kept = keep(store, workspace)
    (workspace / "secret").write_bytes(b"the secret")
    (workspace / "b").write_bytes(b"b")
    both = keep(store, workspace)
    (workspace / "secret").unlink()
    last = keep(store, workspace)
    assert prune(store, [kept, last]).objects == 2, "the secret, and the tree it stood in"
    assert (lost_of(store, kept), lost_of(store, last)) == (None, None)
    assert lost_of(store, both) is not None


def test_what_killed_processes_left_goes(store: Path, workspace: Path) -> None:
    tree = keep(store, workspace)
    (store / ".tmp-0123456789abcdef").write_bytes(b"x" * 1000)
    (store / "held" / "1-dead").write_text("{")
    (store / "packs" / "20200101-000000-00000000.pack").write_bytes(b"torn")
    pruned = prune(store, [tree])
    assert (pruned.left_behind, pruned.bytes) == (2, 1005)
    assert len(list((store / "packs").iterdir())) == 1
    assert not list(store.glob("held/*"))


def test_a_session_keeps_what_it_builds_upon(store: Path, workspace: Path) -> None:
    """Its first look at the workspace is named by no recording yet, and not made again."""
    fill(workspace, 1)
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)
    asyncio.run(snapshots.snapshot())
    prune(store, [])
    (workspace / "new").write_text("new")
    tree = asyncio.run(snapshots.snapshot()).tree_sha256
    assert lost_of(store, tree) is None
    snapshots.close()
    opened.close()
    assert prune(store, []).objects > 50


def test_what_a_session_writes_into_its_pack_after_a_prune_is_there(
    store: Path, workspace: Path
) -> None:
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)
    trees = []
    for number in range(4):
        (workspace / "f").write_text(f"{number}")
        trees.append(asyncio.run(snapshots.snapshot()).tree_sha256)
        prune(store, trees[-1:])
    assert lost_of(store, trees[-1]) is None
    assert asyncio.run(snapshots.restore(trees[-1])).missing == ()
    snapshots.close()
    opened.close()


def test_a_deleted_store_is_made_anew_by_a_running_session(store: Path, workspace: Path) -> None:
    fill(workspace, 1)
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)
    asyncio.run(snapshots.snapshot())
    subprocess.run(["rm", "-r", store], check=True)
    assert lost_of(store, asyncio.run(snapshots.snapshot()).tree_sha256) is None


def test_a_session_whose_index_was_deleted_counts_on_nothing_that_went_since(
    store: Path, workspace: Path
) -> None:
    """Whoever cannot use the index is told to delete it: a session may have it open."""
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)

    def snapshot(text: str) -> str:
        (workspace / "f").write_text(text)
        return asyncio.run(snapshots.snapshot()).tree_sha256

    snapshot("went, and came back")
    last = snapshot("stays")
    for path in store.glob("index.sqlite*"):
        path.unlink()
    assert prune(store, [last]).objects == 2
    tree = snapshot("went, and came back")
    assert lost_of(store, tree) is None
    snapshots.close()
    opened.close()
    prune(store, [tree])
    assert lost_of(store, tree) is None


def test_damage_keeps_everything(store: Path, workspace: Path) -> None:
    (workspace / "f").write_text("named")
    named = keep(store, workspace)
    (workspace / "f").write_text("not named")
    keep(store, workspace)
    for path in (store / "packs").iterdir():
        data = bytearray(path.read_bytes())
        data[-3] ^= 255
        path.write_bytes(data)
    before = objects_in(store)
    with pytest.raises(SnapshotDamaged):
        prune(store, [named])
    assert objects_in(store) == before


@pytest.mark.parametrize("where", [0, 40], ids=["header", "table"])
def test_a_pack_with_a_damaged_table_is_left_and_told(
    store: Path, workspace: Path, where: int
) -> None:
    """What stands behind the damage is still found by the index."""
    for number in range(10):
        (workspace / f"{number}").write_bytes(random.Random(number).randbytes(100_000))
    keep(store, workspace)
    pack = max((store / "packs").iterdir(), key=lambda path: path.stat().st_size)
    other = list(read_tables(str(pack)))[1]
    data = bytearray(pack.read_bytes())
    data[other.block + where] ^= 255
    pack.write_bytes(data)
    (workspace / "0").unlink()
    tree = keep(store, workspace)
    before = readable(store, tree)
    assert len(before) >= 7
    pruned = prune(store, [tree])
    assert "it holds something damaged" in pruned.left[0]
    assert readable(store, tree) == before


def test_a_lost_tree_and_nonsense_name_nothing(store: Path, workspace: Path) -> None:
    tree = keep(store, workspace)
    assert prune(store, [tree, "0" * 64, "../../x", ""]) == Pruned()
    assert lost_of(store, tree) is None


def test_a_reader_finds_what_was_moved_while_it_read(store: Path, workspace: Path) -> None:
    fill(workspace, 1)
    first = keep(store, workspace)
    reader = SnapshotStore(store)
    assert reader.completeness().lost(first) is None
    fill(workspace, 2)
    second = keep(store, workspace)
    (workspace / "d1" / "2-1").unlink()
    keep(store, workspace)
    prune(store, [first])
    assert reader.completeness().lost(first) is None
    assert asyncio.run(reader.has(second)) is False


def test_only_one_prunes_and_none_beside_a_scan(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, workspace)
    pruner = Pruner(SnapshotStore(store).objects)
    with pruner.cleaning(), pytest.raises(SnapshotError, match="by another process"):
        prune(store, [])
    monkeypatch.setattr("sandbox.snapshots.usage._PATIENCE", 0.1)
    with at_work(store), pytest.raises(SnapshotError, match="sessions are at work"):
        prune(store, [])


def test_a_pack_is_begun_while_another_process_looks_at_it(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cleans asks of every pack whether somebody adds to it, and holds it for a moment."""
    (workspace / "f").write_text("f")
    open_file = os.open

    def looked_at(path: str, *how: int, **where: int) -> int:
        fd = open_file(path, *how, **where)
        if os.fspath(path).endswith(".pack"):
            looking = open_file(path, os.O_RDONLY)
            fcntl.flock(looking, fcntl.LOCK_SH)
            threading.Timer(0.05, os.close, (looking,)).start()
        return fd

    monkeypatch.setattr("sandbox.snapshots.pack.os.open", looked_at)
    tree = keep(store, workspace)
    monkeypatch.undo()
    assert lost_of(store, tree) is None


def test_interrupted_as_packs_are_swapped_nothing_is_lost(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes right after the old pack was deleted."""
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)
    trees = []
    for name in ("a", "b"):
        (workspace / name).write_text(name)
        trees.append(asyncio.run(snapshots.snapshot()).tree_sha256)
    snapshots.close()
    opened.close()
    (old,) = (store / "packs").iterdir()
    unlink = os.unlink

    def interrupted(path: str) -> None:
        unlink(path)
        raise KeyboardInterrupt

    monkeypatch.setattr("sandbox.snapshots.repack.os.unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prune(store, trees[:1])
    monkeypatch.undo()
    assert not old.exists()
    assert lost_of(store, trees[0]) is None


def test_a_pack_that_is_deleted_as_it_is_written_is_told(tmp_path: Path) -> None:
    packs = Packs(os.fspath(tmp_path))
    packs.prepare()
    contents = [bytes([number]) * 200_000 for number in range(2)]
    for data in contents:  # the first is written as the second does not fit any more
        packs.put(hashlib.sha256(data).digest(), data, ZstdCompressor())
    (pack,) = (tmp_path / "packs").iterdir()
    pack.unlink()
    with pytest.raises(SnapshotDamaged, match="lost"):
        packs.get(hashlib.sha256(contents[0]).digest())
    packs.close()


STEPS = st.lists(st.lists(ACTIONS, max_size=6), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(sessions=st.lists(STEPS, min_size=1, max_size=3), chance=st.randoms(use_true_random=False))
def test_every_tree_that_is_still_named_comes_back(sessions, chance) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "workspace").mkdir()
        named: dict[str, Tree] = {}
        for number, steps in enumerate(sessions):
            named |= session(folder, steps)
            for tree in chance.sample(sorted(named), chance.randint(0, len(named))):
                del named[tree]
            prune(folder / "store", named)
            for tree, was in named.items():
                assert written(folder / "store", tree, folder / f"{number}-{tree}") == was


def session(folder: Path, steps: list[list[tuple[str, bytes, object]]]) -> dict[str, Tree]:
    store = SnapshotStore(folder / "store")
    snapshots = Snapshots(folder / "workspace", store)
    kept = {}
    for actions in steps:
        for action in actions:
            act(os.fsencode(folder / "workspace"), action)
        tree = asyncio.run(snapshots.snapshot()).tree_sha256
        kept[tree] = tree_of(folder / "workspace")
    snapshots.close()
    store.close()
    return kept


def test_killed_at_any_moment_nothing_named_is_lost(store: Path, workspace: Path) -> None:
    chance = random.Random(7)
    for round_ in range(12):
        trees = []
        for number in range(3):
            fill(workspace, round_ * 3 + number)
            trees.append(keep(store, workspace))
            for path in chance.sample([*workspace.rglob("*-*")], 20):
                path.unlink()
        kill_at_random(lambda _, named=trees[-1:]: prune(store, named), chance, within=0.06)  # type: ignore[misc]
        assert lost_of(store, trees[-1]) is None
        if chance.random() < 0.3:
            (store / "index.sqlite").unlink()
        kill_at_random(lambda _, named=trees[-1:]: prune(store, named), chance, within=0.06)  # type: ignore[misc]
        assert lost_of(store, trees[-1]) is None
    pruned = prune(store, trees[-1:])
    assert pruned.left == []
    assert prune(store, trees[-1:]) == Pruned()
    assert lost_of(store, trees[-1]) is None


WRITER = """
import asyncio, os, random, sys
from pathlib import Path
from sandbox.snapshots import Snapshots, SnapshotStore
store, workspace, log, seed = sys.argv[1:]
chance = random.Random(int(seed))
contents = [bytes([number]) * 700 for number in range(12)] + [bytes([7]) * (2 << 20)]
log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
async def work():
    snapshots = Snapshots(Path(workspace), SnapshotStore(Path(store)))
    while True:
        folder = Path(workspace, f"d{chance.randrange(4)}")
        folder.mkdir(exist_ok=True)
        (folder / f"f{chance.randrange(4)}").write_bytes(chance.choice(contents))
        tree = (await snapshots.snapshot()).tree_sha256
        await asyncio.sleep(chance.random() * 0.01)
        os.write(log, tree.encode() + b"\\n")
asyncio.run(work())
"""
NAMED = 2
"""Trees of each writer that are still named: all before them were deleted."""


def lines_of(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def last_lines(logs: list[Path]) -> list[str]:
    return [tree for log in logs if log.exists() for tree in log.read_text().split()[-NAMED:]]


def test_beside_sessions_that_write_nothing_named_is_lost(store: Path, tmp_path: Path) -> None:
    """What was unnamed comes back again and again: the writers share a few contents."""
    logs = [tmp_path / f"log-{number}" for number in range(3)]
    writers = [start(store, tmp_path, log, seed) for seed, log in enumerate(logs)]
    chance = random.Random(3)
    try:
        for _ in range(4):
            enough = [lines_of(log) + 15 for log in logs]
            while any(lines_of(log) < wanted for log, wanted in zip(logs, enough, strict=True)):
                prune_named(store, logs)
                assert all(writer.poll() is None for writer in writers)
            killed = chance.randrange(len(logs))
            writers[killed].kill()
            writers[killed].wait()
            writers[killed] = start(store, tmp_path, logs[killed], chance.randrange(99))
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    for tree in last_lines(logs):
        assert lost_of(store, tree) is None
    prune_named(store, logs)
    for tree in last_lines(logs):
        assert lost_of(store, tree) is None


def prune_named(store: Path, logs: list[Path]) -> None:
    if not store.exists():
        return
    opened = SnapshotStore(store)
    pruner = Pruner(opened.objects)
    with pruner.cleaning():
        pruner.mark(last_lines(logs))
        with pruner.alone():
            pruner.mark(last_lines(logs))
            pruner.take_out()
        pruner.write_anew()
    pruner.close()
    opened.close()


def start(store: Path, folder: Path, log: Path, seed: int) -> subprocess.Popen[bytes]:
    workspace = folder / f"workspace-{log.name}"
    workspace.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", WRITER, store, workspace, log, str(seed)])
