"""The snapshots of recorded workspaces, and writing one into a directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from recordings.events import Snapshot
from recordings.store.collection import home_of
from recordings.store.workspaces import WorkspaceAt, snapshots_of, workspace_at
from sandbox.snapshots import RestoreResult, SnapshotNotFound, SnapshotStore

MAX_BYTES = 2 << 30
"""Bytes that one session may add to the store; contents beyond are not kept, as events say."""


def snapshot_store(home: Path) -> SnapshotStore:
    """Return the store that all sessions under a home share; it need not exist yet."""
    return SnapshotStore(home / "snapshots", max_bytes=MAX_BYTES)


def forks_folder(home: Path) -> Path:
    """Return the folder in which each fork has a folder of its own, with its workspace in it."""
    return home / "forks"


def copy_snapshots(recording: Path, seq: int, home: Path) -> None:
    """Copy the snapshots that a recording names up to event `seq` into a home's store. Blocks.

    For a fork of a recording of a batch, whose snapshots are in the batch's folder.
    Raises `SnapshotError`, `RecordingError`.
    """
    if home_of(recording) == home:
        return
    trees = [
        event.data.tree
        for event in snapshots_of(recording)
        if event.seq <= seq and isinstance(event.data, Snapshot)
    ]
    source = snapshot_store(home_of(recording))
    with closing(source), closing(snapshot_store(home)) as target:
        source.copy_trees(trees, target)


@contextmanager
def keeping_snapshots(home: Path) -> Iterator[None]:
    """Prevent pruning of snapshots that no event names yet. Raises `SnapshotError`."""
    store = snapshot_store(home)
    with store.objects.at_work():
        yield


def materialise(
    recording: Path, seq: int, target: Path, home: Path
) -> tuple[WorkspaceAt, RestoreResult]:
    """Write the workspace of a recording, as it was right after event `seq`, into a directory.

    `target` is new or empty; `home` is the folder under which the snapshots are. Blocks: run it in
    a thread. What comes back says whether the snapshot is of exactly that moment
    (`WorkspaceAt.exact`: false in the midst of a step) and what could not be written
    (`RestoreResult.missing`: too large to be kept, special files).

    Raises `SnapshotNotFound` when the recording names no snapshot or the store has lost it,
    other `SnapshotError`, and `RecordingError`.
    """
    at = workspace_at(recording, seq)
    if at is None:
        raise SnapshotNotFound(
            f"The recording {recording.name} names no snapshot of its workspace at event {seq}: "
            "it was made without (`snapshots = false`), or before there were any."
        )
    store = snapshot_store(home)
    try:
        return at, store.write_tree(at.tree, target)
    finally:
        store.close()
