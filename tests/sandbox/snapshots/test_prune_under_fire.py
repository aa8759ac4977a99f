"""Pruning a store beside those at work in it, and killed at any moment: nothing named is lost."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from sandbox.snapshots import Pruner, SnapshotDamaged, Snapshots, SnapshotStore
from sandbox.snapshots.packs import Packs
from sandbox.snapshots.prune import PruneResult
from tests.fakes.killed_child import Acknowledge, kill_at_random
from tests.sandbox.snapshots.test_snapshots_properties import ACTIONS, act
from tests.sandbox.stores import fill, keep, lost_of, prune, written
from tests.sandbox.trees import Tree, tree_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_session_whose_index_was_deleted_counts_on_nothing_that_went_since(
    store: Path, workspace: Path
) -> None:
    """A user whose index cannot be used is told to delete it: a session may have it open."""
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


COMES_AND_GOES = """
import sys
from pathlib import Path
from sandbox.snapshots.usage import TreeLease, at_work
store = Path(sys.argv[1])
while True:
    leases = [TreeLease(store, store) for _ in range(50)]
    with at_work(store):
        for lease in leases:
            lease.rely_on(())
    for lease in leases:
        lease.close()
"""


def test_sessions_that_end_meanwhile_are_no_fault(store: Path, workspace: Path) -> None:
    tree = keep(store, workspace)
    others = subprocess.Popen([sys.executable, "-c", COMES_AND_GOES, store])
    try:
        for _ in range(100):
            prune(store, [tree])
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_a_pack_is_begun_while_another_process_looks_at_it(
    store: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cleaning asks of every pack whether a session adds to it, and holds it for a moment."""
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


def _prune(store: Path, named: list[str], _: Acknowledge) -> None:
    prune(store, named)


def test_killed_at_any_moment_nothing_named_is_lost(store: Path, workspace: Path) -> None:
    chance = random.Random(7)
    for round_ in range(12):
        trees = []
        for number in range(3):
            fill(workspace, round_ * 3 + number)
            trees.append(keep(store, workspace))
            for path in chance.sample([*workspace.rglob("*-*")], 20):
                path.unlink()
        work = partial(_prune, store, trees[-1:])
        kill_at_random(work, chance, within=0.06)
        assert lost_of(store, trees[-1]) is None
        if chance.random() < 0.3:
            (store / "index.sqlite").unlink()
        kill_at_random(work, chance, within=0.06)
        assert lost_of(store, trees[-1]) is None
    pruned = prune(store, trees[-1:])
    assert pruned.left == []
    assert prune(store, trees[-1:]) == PruneResult()
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
            pruner.remove_unmarked()
        pruner.rewrite_packs()
    pruner.close()
    opened.close()


def start(store: Path, folder: Path, log: Path, seed: int) -> subprocess.Popen[bytes]:
    workspace = folder / f"workspace-{log.name}"
    workspace.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", WRITER, store, workspace, log, str(seed)])
