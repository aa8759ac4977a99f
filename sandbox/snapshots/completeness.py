"""Whether a store still has all of a tree: every directory's tree and every file's content."""

from __future__ import annotations

from sandbox.snapshots.changes import read_lines
from sandbox.snapshots.entries import MAX_DEPTH, decode_entries
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotNotFound
from sandbox.snapshots.objects import Objects


class Completeness:
    """Reads many trees and their contents, what they share only once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._whole: set[str] = set()

    def lost(self, tree: str, path: str = "") -> str | None:
        """Return the path of a lost or damaged object of a tree; `None` means it is whole."""
        if tree in self._whole:
            return None
        try:
            entries = decode_entries(read_lines(self._objects, tree))
        except (SnapshotNotFound, SnapshotDamaged):
            return path or "."
        if path.count("/") > MAX_DEPTH:
            return path
        for entry in entries.values():
            if entry.sha256 is None:
                continue
            inside = f"{path}{entry.name}"
            if entry.type == "directory":
                lost = self.lost(entry.sha256, inside + "/")
            else:
                lost = None if self._is_there(entry.sha256, entry.size) else inside
            if lost is not None:
                return lost
        self._whole.add(tree)
        return None

    def _is_there(self, sha256: str, size: int) -> bool:
        if sha256 in self._whole:
            return True
        try:
            for _ in self._objects.stream(sha256, size):
                pass
        except (SnapshotNotFound, SnapshotDamaged):
            return False
        self._whole.add(sha256)
        return True
