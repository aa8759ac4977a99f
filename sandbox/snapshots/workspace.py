"""Snapshots of one workspace during a session: one after each step; any of them is restorable."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.snapshots.changes import Change, compare
from sandbox.snapshots.errors import SnapshotError
from sandbox.snapshots.exclude import Exclude, ExcludedPaths
from sandbox.snapshots.opening import HeldWorkspace
from sandbox.snapshots.restore import RestoreResult, restore
from sandbox.snapshots.scan import NotKept, Scanner
from sandbox.snapshots.store import MAX_ENTRIES, MAX_FILE, SnapshotStore
from sandbox.snapshots.threads import in_thread
from sandbox.snapshots.usage import TreeLease


@dataclass(frozen=True, slots=True)
class WorkspaceSnapshot:
    """The workspace at one moment."""

    tree_sha256: str
    """Of the tree's root; two workspaces with the same are the same."""
    changes: tuple[Change, ...]
    """Since the snapshot or restore before this one; the first has none."""
    not_kept: tuple[NotKept, ...]
    """What it names without holding the content; the first ten thousand."""
    seconds: float


class Snapshots:
    """Makes snapshots of a workspace, reading only what changed since the last one.

    `exclude` holds globs: without a slash they match names at any depth (`.env`, `*.pem`), with
    one paths from the top (`data/raw`); what they match is in no snapshot and no restore touches
    it. The store's own folder is always excluded. Of files larger than `max_file` bytes only
    size and time are kept. More than `max_entries` files and directories are refused.
    """

    def __init__(
        self,
        workspace: Path,
        store: SnapshotStore,
        *,
        exclude: Iterable[str] = (),
        max_file: int = MAX_FILE,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._workspace = HeldWorkspace(workspace)
        self._objects = store.objects
        self._exclude = Exclude(exclude)
        self._scanner = Scanner(
            self._workspace, store.objects, self._exclude, max_file, max_entries
        )
        self._last: str | None = None
        self._lease = TreeLease(store.objects.folder, workspace)
        self._one_at_a_time = threading.Lock()

    async def snapshot(self) -> WorkspaceSnapshot:
        """Keep the workspace as it is now. Raises `SnapshotError`.

        What changes meanwhile may be in it or not, but every file of it did exist. When
        cancelled it ends within about a megabyte's reading, and the next one is right.
        """
        return await in_thread(self._snapshot)

    async def restore(self, tree: str, *, leave: Collection[str] = ()) -> RestoreResult:
        """Bring the workspace to exactly a tree: content, modes, links, what is too much removed.

        What it holds now is kept first, so that this can be undone too. Only what differs is
        touched; what was not kept is left as it is and reported, and so are the paths to `leave`.
        Raises `SnapshotError`
        (`SnapshotNotFound`, `SnapshotDamaged`); the workspace may then be in between.
        """
        return await in_thread(lambda stop: self._restore(tree, leave, stop))

    def close(self) -> None:
        """End the lease on the last trees: what no recording names may be pruned."""
        self._lease.close()
        self._workspace.close()

    def _snapshot(self, stop: threading.Event) -> WorkspaceSnapshot:
        begin = time.monotonic()
        with self._at_work(stop):
            tree, not_kept = self._scanner.scan(stop)
            last, self._last = self._last or tree, tree
            changes = tuple(compare(self._objects, last, tree))
        return WorkspaceSnapshot(tree, changes, not_kept, time.monotonic() - begin)

    def _restore(self, tree: str, leave: Collection[str], stop: threading.Event) -> RestoreResult:
        with self._at_work(stop):
            exclude = ExcludedPaths(self._exclude, leave) if leave else self._exclude
            restored = restore(tree, self._workspace, self._objects, self._scanner, exclude, stop)
            self._last = restored.tree_sha256
        return restored

    @contextmanager
    def _at_work(self, stop: threading.Event) -> Iterator[None]:
        """Run one scan or restore at a time; then lease the trees that the next one starts from."""
        with self._one_at_a_time, self._objects.at_work(stop):
            if self._lease.is_lost():  # the whole store was deleted meanwhile
                self._objects.close()
                self._forget()
            try:
                yield
            finally:
                try:
                    self._lease.rely_on({self._last or "", self._scanner.tree} - {""})
                except SnapshotError:
                    self._forget()
                    raise

    def _forget(self) -> None:
        """Let the next scan read everything; end the lease."""
        self._lease.close()
        self._scanner.forget()
        self._last = None
