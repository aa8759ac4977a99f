"""Deletes a recording for good: its folder, its words in the index, its snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recordings.errors import MALFORMED, UNREADABLE
from recordings.index.index import remove_from_index
from recordings.storage.files import packed_path
from recordings.storage.lines import parse_line
from recordings.storage.log import LOG, read_lines
from recordings.store.store import RecordingStore
from sandbox.snapshots.removal import remove_folder
from sii_cli.config.home_key import review_keys
from sii_cli.errors import SiiError
from sii_cli.workspace.prune import PruneReport, prune


def forks_of(folder: Path) -> list[Path]:
    """Return the forks of a recording in its home, and theirs, the deepest first."""
    parents = {one: _parent(one) for one in _recordings(folder)}
    found, names = [folder], {folder.name}
    for one in found:  # grows meanwhile
        for fork, parent in parents.items():
            if parent == one.name and fork.name not in names:
                found.append(fork)
                names.add(fork.name)
    return found[:0:-1]


def forget(folders: Sequence[Path]) -> PruneReport:
    """Delete recordings of a home that no process writes to. Blocks.

    Each is whole or gone, also when the process is killed: its log is deleted first.
    Raises `SiiError` when it cannot be deleted whole, `SnapshotError` when the snapshots cannot be
    looked through: `sii prune` deletes them then.
    """
    for one in folders:
        remove_from_index(one, review_keys(one))
        for log in (one / LOG, packed_path(one / LOG)):
            log.unlink(missing_ok=True)
        if not remove_folder(one):
            raise SiiError(f"Not all of {one} could be removed: look at its rights.")
    return prune(folders[0].parent.parent, dry_run=False)


def _recordings(folder: Path) -> list[Path]:
    return [folder.parent / name for name in RecordingStore(folder.parent).ids()]


def _parent(folder: Path) -> str | None:
    """Return the recording that one was forked from last, or `None`."""
    parent = None
    try:
        for line in read_lines(folder):
            if b'"parent"' in bytes(line.text):
                named = parse_line(line.text).get("parent")
                parent = named["session"] if named else parent
    except (*UNREADABLE, *MALFORMED):
        return parent
    return parent
