"""The store of snapshots: trees compared, shown as diffs, restored and given to forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sandbox.snapshots.changes import Change, compare
from sandbox.snapshots.completeness import Completeness
from sandbox.snapshots.errors import SnapshotError, SnapshotNotFound, failure
from sandbox.snapshots.exclude import Exclude
from sandbox.snapshots.file_diff import FileDiff, LineCounts, count_lines, file_diffs
from sandbox.snapshots.objects import Objects
from sandbox.snapshots.opening import HeldWorkspace
from sandbox.snapshots.restore import RestoreResult, restore
from sandbox.snapshots.scan import Scanner
from sandbox.snapshots.threads import in_thread

MAX_FILE = 64 << 20
MAX_ENTRIES = 500_000
MAX_DIFFS = 16 << 20
"""Characters of the diffs between two trees."""


class SnapshotStore:
    """Objects in a folder, which need not exist yet; many sessions may share one.

    `max_bytes` is what this process may add to it: when that is used up, new content is not kept
    any more, and snapshots say so; trees are still kept, until they have added as much again.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 8 << 30) -> None:
        self.objects = Objects(folder, max_bytes)

    async def has(self, tree: str) -> bool:
        """Whether a tree is in the store."""
        return await in_thread(lambda _: self.objects.has(tree))

    def completeness(self) -> Completeness:
        """Return a checker of trees: its `lost` reads a whole tree, and blocks meanwhile."""
        return Completeness(self.objects)

    async def changes(self, before: str | None, after: str) -> tuple[Change, ...]:
        """Return what differs between two trees, by path; `None` means the empty tree.

        Raises `SnapshotNotFound`, `SnapshotDamaged`.
        """
        return await in_thread(lambda _: tuple(compare(self.objects, before, after)))

    async def count_lines(
        self, before: str | None, after: str, most: int
    ) -> tuple[tuple[LineCounts, ...], int]:
        """Return the first `most` changes with the lines that came and went, and how many more.

        Raises `SnapshotNotFound`, `SnapshotDamaged`.
        """
        return await in_thread(lambda stop: count_lines(self.objects, before, after, most, stop))

    async def diff(
        self, before: str | None, after: str, *, max_text: int = MAX_DIFFS
    ) -> tuple[FileDiff, ...]:
        """Return every change between two trees with its unified diff; `None` means the empty tree.

        What cannot be shown as text is said in a line; bytes that are not UTF-8 show as `�`. Beyond
        `max_text` characters the diffs only say that there is one.
        Raises `SnapshotNotFound`, `SnapshotDamaged`.
        """
        return await in_thread(
            lambda stop: tuple(file_diffs(self.objects, before, after, max_text, stop))
        )

    async def restore(
        self, tree: str, workspace: Path, *, exclude: Iterable[str] = ()
    ) -> RestoreResult:
        """Bring a workspace to exactly a tree; see `Snapshots.restore`, which is faster."""
        excluded = Exclude(exclude)

        def work(stop: threading.Event) -> RestoreResult:
            with self.objects.at_work(stop):
                return self._restore(tree, workspace, excluded, stop)

        return await in_thread(work)

    async def materialise(self, tree: str, new_dir: Path) -> RestoreResult:
        """Write a tree into a new or empty directory, whose owner is given everything in it.

        Raises `SnapshotError`.
        """
        return await in_thread(lambda stop: self.write_tree(tree, new_dir, stop))

    def write_tree(
        self, tree: str, new_dir: Path, stop: threading.Event | None = None
    ) -> RestoreResult:
        """As `materialise`, but blocking."""
        with self.objects.at_work(stop):
            if not self.objects.has(tree):
                raise SnapshotNotFound(
                    f"The store {self.objects.folder} has no tree {tree[:80]!r}."
                )
            _make_empty(new_dir)
            return self._restore(tree, new_dir, Exclude(()), stop or threading.Event())

    def _restore(
        self, tree: str, folder: Path, exclude: Exclude, stop: threading.Event
    ) -> RestoreResult:
        with closing(HeldWorkspace(folder)) as held:
            scanner = Scanner(held, self.objects, exclude, MAX_FILE, MAX_ENTRIES)
            return restore(tree, held, self.objects, scanner, exclude, stop)

    def copy_trees(self, trees: Iterable[str], target: SnapshotStore) -> None:
        """Copy trees with all that they name into another store, as far as they are whole. Blocks.

        Raises `SnapshotError`.
        """
        from sandbox.snapshots.copy import TreeCopier

        copier = TreeCopier(self.objects, target.objects)
        with target.objects.at_work():
            for tree in trees:
                copier.copy(tree)
            target.objects.commit()

    def close(self) -> None:
        """Close the store's files; snapshots that were made are kept."""
        self.objects.close()


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(os.scandir(folder))
    except OSError as error:
        raise failure("The snapshot cannot be written to", folder, error) from error
    if filled:
        raise SnapshotError(f"The directory {folder} is not empty: give a new one.")
