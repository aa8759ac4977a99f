"""Deletes from a store what nothing refers to, while sessions run; it may be killed at any moment.

Objects that are referred to are marked first, while others work in the store. Then, alone in the
store for a moment, new ones are marked too, large objects without a mark are deleted, and small
ones leave the index: the same content is written again from now on. What their packs still hold of
others is written into new packs, each of which replaces its old one in a moment alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.snapshots.changes import MAX_TREE
from sandbox.snapshots.errors import SnapshotError, SnapshotNotFound, failure
from sandbox.snapshots.index import ObjectIndex
from sandbox.snapshots.marks import Marks
from sandbox.snapshots.objects import Objects, is_sha256
from sandbox.snapshots.repack import Repacker
from sandbox.snapshots.usage import LeasedTrees, alone, cleaning, read_leases

_CHILD = re.compile(rb'"type":"(directory|file)"[^\n]{0,99}?,"sha256":"([0-9a-f]{64})"')
"""In a tree's line. Names stand before it, with their quotes escaped; a mode and a size between."""
_PAGE = 10_000
"""Objects of the index that are looked at together."""


@dataclass(slots=True)
class PruneResult:
    """What a cleaning deleted, or would delete."""

    objects: int = 0
    """Contents and trees."""
    left_behind: int = 0
    """Files that killed processes left."""
    bytes: int = 0
    """On the disk; of packs that are not rewritten yet, an estimate."""
    left: list[str] = field(default_factory=list)
    """Why some of it stays for now, in sentences."""


class Pruner:
    """One cleaning of a store: `mark`, `remove_unmarked` alone in the store, `rewrite_packs`."""

    def __init__(self, objects: Objects, *, dry_run: bool = False) -> None:
        self.result = PruneResult()
        self._objects = objects
        self._store = objects.folder
        self._index = ObjectIndex(f"{self._store}/index.sqlite", f"{self._store}/packs")
        self._dry_run = dry_run
        self._only_said = False
        """Dry run: the index still has what would be removed."""
        self._marks = Marks()

    def close(self) -> None:
        """Close the store's files."""
        self._index.close()
        self._marks.close()

    def cleaning(self) -> AbstractContextManager[None]:
        """Be the only one that cleans the store. Raises `SnapshotError`."""
        return cleaning(self._store)

    def alone(self) -> AbstractContextManager[None]:
        """Have the store with nobody at work in it. Raises `SnapshotError`."""
        return alone(self._store)

    def mark(self, trees: Iterable[str]) -> None:
        """Mark all that trees hold. Raises `SnapshotError` for a tree that cannot be read.

        A tree that the store does not have holds nothing; it may come with another's recording.
        """
        for tree in trees:
            pending = [tree] if is_sha256(tree) else []
            while pending:
                pending += self._mark_one(pending.pop())

    def remove_unmarked(self) -> list[LeasedTrees]:
        """Delete what has no mark; return the leases of running sessions, whose trees stay.

        To be called inside `alone`, with everything marked. Raises `SnapshotError`.
        """
        self._index.catch_up()
        leases, left = read_leases(self._store)
        self.mark(tree for lease in leases for tree in lease.trees)
        self.result.left_behind = sum(map(self._unlink, (*left, *self._objects.temporaries())))
        for sha256, path in self._objects.files():
            if bytes.fromhex(sha256) not in self._marks:
                self.result.objects += self._unlink(path)
        for unmarked in self._unmarked():
            self.result.objects += len(unmarked)
            if not self._dry_run:
                self._index.remove(unmarked)
        self._only_said = self._dry_run
        return leases

    def rewrite_packs(self) -> None:
        """Rewrite the packs that hold objects which the index no longer has."""
        repacker = Repacker(self._store, self._index, self._stays)
        for pack in sorted(repacker.survey(), key=lambda pack: pack.live):  # makes room first
            try:
                self.result.bytes += pack.dead if self._dry_run else repacker.replace(pack)
            except SnapshotError as error:
                self.result.left.append(str(error))
            except OSError as error:
                self.result.left.append(str(failure("Not all was cleaned in", self._store, error)))
        if self.result.objects and not self._dry_run:
            self._index.shrink()

    def _stays(self, sha256: bytes) -> bool:
        """Whether an object of the index stays there; in a dry run the index still has all."""
        return not self._only_said or sha256 in self._marks

    def _mark_one(self, tree: str) -> list[str]:
        """Mark a tree and its files; return the trees in it."""
        sha256 = bytes.fromhex(tree)
        if sha256 in self._marks:
            return []
        try:
            found = _CHILD.findall(self._objects.get(tree, MAX_TREE))
        except SnapshotNotFound:
            return []
        inside = [(kind, child.decode()) for kind, child in found]
        files = [bytes.fromhex(child) for kind, child in inside if kind == b"file"]
        self._marks.add([sha256, *files])
        return [child for kind, child in inside if kind == b"directory"]

    def _unmarked(self) -> Iterator[list[bytes]]:
        last = b""
        while page := self._index.after(last, _PAGE):
            yield [sha256 for sha256 in page if sha256 not in self._marks]
            last = page[-1]

    def _unlink(self, path: Path) -> bool:
        """Remove a file; return whether it was there. Raises `SnapshotError`."""
        try:
            size = path.stat().st_size
            if not self._dry_run:
                path.unlink()
        except FileNotFoundError:  # a session that began just now removed what another left
            return False
        except OSError as error:
            raise failure("The store of snapshots cannot be cleaned:", path, error) from error
        if not self._dry_run:
            with suppress(OSError):  # it may hold others
                path.parent.rmdir()
        self.result.bytes += size
        return True
