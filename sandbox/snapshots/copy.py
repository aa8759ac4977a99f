"""Copies trees with all that they name from one store of snapshots to another."""

from __future__ import annotations

from contextlib import suppress

from sandbox.snapshots.changes import MAX_TREE, read_lines
from sandbox.snapshots.entries import MAX_DEPTH, TreeEntry, decode_entries
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotNotFound
from sandbox.snapshots.objects import Objects, StoreFull

_SMALL = 1 << 20
"""Bytes of a content that is copied at once."""


class TreeCopier:
    """Copies trees, what they share only once. What is lost or damaged is left out, and so are
    contents for which the target has no room.

    The caller is at work in the target (`Objects.at_work`), and commits it.
    """

    def __init__(self, source: Objects, target: Objects) -> None:
        self._source, self._target = source, target
        self._done: set[str] = set()

    def copy(self, tree: str, depth: int = 0) -> None:
        """Copy a tree after what it names. Raises `SnapshotError`."""
        if tree in self._done or depth > MAX_DEPTH:
            return
        self._done.add(tree)
        with suppress(SnapshotNotFound, SnapshotDamaged):
            for entry in decode_entries(read_lines(self._source, tree)).values():
                if entry.sha256 is not None and entry.type == "directory":
                    self.copy(entry.sha256, depth + 1)
                elif entry.sha256 is not None:
                    self._copy_content(entry.sha256, entry)
            if not self._target.has(tree):
                self._target.put(self._source.get(tree, MAX_TREE), always=True)

    def _copy_content(self, sha256: str, entry: TreeEntry) -> None:
        if sha256 in self._done or self._target.has(sha256):
            return
        self._done.add(sha256)
        with suppress(SnapshotNotFound, SnapshotDamaged, StoreFull):
            if entry.size <= _SMALL:
                self._target.put(self._source.get(sha256, _SMALL))
                return
            with self._target.writer() as writer:
                for piece in self._source.stream(sha256, entry.size):
                    writer.write(piece)
                writer.commit()
