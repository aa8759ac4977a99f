"""Stores of snapshots in tests: filled, pruned and looked into as separate sessions would."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path

from sandbox.snapshots import Pruner, Snapshots, SnapshotStore
from sandbox.snapshots.pack import read_tables
from sandbox.snapshots.prune import PruneResult
from tests.sandbox.trees import Tree, tree_of

LARGE = 3 << 20


def prune(folder: Path, named: Iterable[str], *, dry_run: bool = False) -> PruneResult:
    store = SnapshotStore(folder)
    store.objects.prepare()
    pruner = Pruner(store.objects, dry_run=dry_run)
    try:
        with pruner.cleaning():
            with pruner.alone():
                pruner.mark(named)
                pruner.remove_unmarked()
            pruner.rewrite_packs()
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


def objects_in(folder: Path) -> set[str]:
    """Everything that stands in the store's files, whatever its index says."""
    packs = sorted((folder / "packs").iterdir())
    packed = {
        sha.hex() for path in packs for table in read_tables(str(path)) for sha, *_ in table.objects
    }
    return packed | {path.parent.name + path.name for path in folder.glob("objects/??/*")}


def fill(workspace: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(50):
        folder = workspace / f"d{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}-{number}").write_bytes(chance.randbytes(3000))
    (workspace / f"{seed}-large").write_bytes(chance.randbytes(LARGE))
