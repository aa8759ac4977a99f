"""Prunes a home: deletes snapshots that no recording refers to, the workspaces of deleted forks,
and files that killed processes left.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields
from itertools import starmap
from pathlib import Path

from recordings.store.collection import RECORDINGS, Collection
from recordings.store.leftovers import empty_folders, half_written
from recordings.store.references import References
from recordings.store.store import RecordingStore
from sandbox.snapshots import Pruner, SnapshotDamaged, SnapshotError, remove_folder, size_of
from sii_cli.workspace.history import forks_folder, snapshot_store


@dataclass(slots=True)
class PruneReport:
    """What was deleted, or would be."""

    bytes: int = 0
    contents: int = 0
    """Files' contents and trees that no recording names."""
    left_behind: int = 0
    """Files."""
    forks: list[str] = field(default_factory=list)
    """Ids of forks whose workspaces were deleted."""
    empty: list[str] = field(default_factory=list)
    """Ids of sessions that died before their first event."""
    kept: list[str] = field(default_factory=list)
    """What could not be deleted, and why, in sentences."""

    def add(self, other: PruneReport) -> None:
        """Add what was deleted elsewhere."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def prune_collection(home: Path, *, dry_run: bool) -> PruneReport:
    """Prune a home, then each of its batches, as `prune` does; a batch that cannot be pruned is
    kept, with the reason. Blocks. Raises `SnapshotError` for the home itself.
    """
    freed = prune(home, dry_run=dry_run)
    collection = Collection(home)
    for batch in collection.batches.values():
        try:
            freed.add(prune(batch.root.parent, dry_run=dry_run))
        except SnapshotError as error:
            freed.kept.append(str(error))
    freed.kept += collection.refused
    return freed


def prune(home: Path, *, dry_run: bool) -> PruneReport:
    """Prune a home while sessions run. Blocks.

    Where a recording is damaged no snapshot is deleted: it may have named any. Killed at any
    moment, nothing is lost, and the next run continues. Raises `SnapshotError`.
    """
    freed = PruneReport()
    store = RecordingStore(home / RECORDINGS)
    if store.root.is_symlink() and not store.root.exists():
        raise SnapshotError(
            f"{store.root} leads nowhere: nothing goes while the recordings cannot be read."
        )
    _refuse_links(home)
    _remove_half_written(store, freed, dry_run)
    if (home / "snapshots").is_dir() or forks_folder(home).is_dir():
        _Cleaning(home, store, freed, dry_run).run()
    return freed


class _Cleaning:
    def __init__(
        self, home: Path, store: RecordingStore, freed: PruneReport, dry_run: bool
    ) -> None:
        self._home = home
        self._store = store
        self._references = References(store)
        self._freed = freed
        self._dry_run = dry_run

    def run(self) -> None:
        """Delete. Raises `SnapshotError`."""
        snapshots = snapshot_store(self._home)
        snapshots.objects.prepare()
        pruner = Pruner(snapshots.objects, dry_run=self._dry_run)
        try:
            with pruner.cleaning():
                gone = self._delete_unnamed(pruner)
                pruner.rewrite_packs()
                for folder in gone:
                    self._remove_fork(folder)
        finally:
            pruner.close()
            snapshots.close()
        self._freed.contents = pruner.result.objects
        self._freed.left_behind += pruner.result.left_behind
        self._freed.bytes += pruner.result.bytes
        self._freed.kept += pruner.result.left

    def _delete_unnamed(self, pruner: Pruner) -> list[Path]:
        """Delete what nothing names; return the folders of deleted forks."""
        try:
            pruner.mark(self._references.trees())  # beside all sessions, for this takes the longest
            with pruner.alone():
                pruner.mark(self._references.trees())
                if self._references.unknown:
                    self._freed.kept += starmap(_why_all_stays, self._references.unknown.items())
                    return []
                leases = pruner.remove_unmarked()
                self._remove_empty()
        except SnapshotDamaged as error:
            self._freed.kept.append(
                f"All snapshots and forks stay, for one cannot be read ({str(error).rstrip('.')}): "
                "`sii verify --all` says whose it is; without that recording the rest can go."
            )
            return []
        return self._gone_forks([lease.workspace for lease in leases])

    def _gone_forks(self, leased: list[str]) -> list[Path]:
        """Return the folders of forks that have no recording and are not in use."""
        # Looked at before the recordings: a fork's recording is begun before its files are written.
        folders = _folders_in(forks_folder(self._home))
        there = {*self._store.names(), *self._store.unnamed()} - set(self._freed.empty)
        in_use = list(_real_paths([*leased, *self._references.workspaces.values()]))
        return [
            folder
            for folder in folders
            if folder.name not in there and not any(path.is_relative_to(folder) for path in in_use)
        ]

    def _remove_empty(self) -> None:
        for folder in empty_folders(self._store):
            if self._dry_run or remove_folder(folder):
                self._freed.empty.append(folder.name)

    def _remove_fork(self, folder: Path) -> None:
        size = size_of(folder)
        if self._dry_run or remove_folder(folder):
            self._freed.forks.append(folder.name)
            self._freed.bytes += size
        else:
            self._freed.kept.append(f"Not all of {folder} could be removed: look at its rights.")


def _refuse_links(home: Path) -> None:
    """Raise `SnapshotError` for a link instead of a folder in which something may be deleted."""
    snapshots = home / "snapshots"
    places = [snapshots, forks_folder(home)]
    for folder in (snapshots, snapshots / "objects"):
        with suppress(FileNotFoundError, NotADirectoryError):
            places += folder.iterdir()
    if link := next((place for place in places if place.is_symlink()), None):
        raise SnapshotError(
            f"{link} is a link, and nothing is removed through it: what it leads to may be "
            "anything. Put the folder itself there (it may be a mount), or remove the link."
        )


def _why_all_stays(session: str, why: str) -> str:
    return (
        f"All snapshots and forks stay, for the recording {session} cannot be read whole ({why}): "
        "`sii verify` says more; repair it, or delete its folder."
    )


def _remove_half_written(store: RecordingStore, freed: PruneReport, dry_run: bool) -> None:
    for folder, name in half_written(store):
        status = folder.status(name)
        if status is None:
            continue
        if not dry_run:
            folder.remove(name)
        freed.bytes += status.st_size
        freed.left_behind += 1


def _real_paths(workspaces: Iterable[str]) -> Iterator[Path]:
    """Yield their real paths; a path with a NUL is in no file system."""
    for workspace in workspaces:
        with suppress(ValueError):
            yield Path(os.path.realpath(workspace))


def _folders_in(folder: Path) -> list[Path]:
    """Return the real paths of the directories in a folder."""
    try:
        found = sorted(folder.resolve().iterdir())
    except FileNotFoundError:
        return []
    return [path for path in found if path.is_dir() and not path.is_symlink()]
