"""Pruning a store: what is named stays byte for byte, and all else goes."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.snapshots import Pruner, SnapshotDamaged, SnapshotError, Snapshots, SnapshotStore
from sandbox.snapshots.pack import read_tables
from sandbox.snapshots.prune import PruneResult
from sandbox.snapshots.usage import at_work
from tests.sandbox.stores import fill, keep, lost_of, objects_in, prune, written
from tests.sandbox.trees import tree_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


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


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
    assert prune(store, [first]) == PruneResult()
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


def test_a_deleted_store_is_made_again_by_a_running_session(store: Path, workspace: Path) -> None:
    fill(workspace, 1)
    opened = SnapshotStore(store)
    snapshots = Snapshots(workspace, opened)
    asyncio.run(snapshots.snapshot())
    subprocess.run(["rm", "-r", store], check=True)
    assert lost_of(store, asyncio.run(snapshots.snapshot()).tree_sha256) is None


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
    assert prune(store, [tree, "0" * 64, "../../x", ""]) == PruneResult()
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
