"""Events of the workspace: what became of its files."""

from __future__ import annotations

from typing import ClassVar, Literal

from recordings.events.parts import EventBase, EventPart


class FileChange(EventPart):
    """What became of one path of the workspace."""

    path: str
    """From the workspace; bytes that are not UTF-8 and what cannot be printed as escapes."""
    kind: Literal["added", "modified", "deleted", "mode", "type"]
    """`type`: another type of entry (file, directory, symlink, special) stands there now."""
    added: int | None = None
    """Lines; none where none are counted: no text, too large, or not kept."""
    removed: int | None = None
    binary: bool = False
    not_kept: str | None = None
    """Why its content is in no snapshot: `too large`, `unreadable`, …"""


class Snapshot(EventBase):
    """The workspace as it was at one moment, kept in the store of snapshots under its tree's hash.

    Written only when something changed since the one before, at the start, and before an earlier
    tree is brought back. A step without one
    left the workspace as the last one says. It may come after the next step's model call has
    begun, but always before its tool calls.
    """

    type: ClassVar[str] = "snapshot"
    step: int
    """The last step whose calls had ended; 0: none."""
    cause: Literal["start", "step", "round", "resume", "before", "undo", "restore", "fork"]
    """When it was made. What one of `round` or `resume` tells was changed by others, between
    rounds or runs; `undo` and `restore` brought an earlier tree back, and `before` is what stood
    there until then: when neither follows, they were interrupted; `fork` wrote the tree of the
    shared past into a directory of the fork's own."""
    tree: str
    """sha256 of the root's tree: two workspaces with the same are the same."""
    changes: list[FileChange] = []
    """Since the snapshot before; what a directory holds is named, changed directories are not."""
    unnamed: int = 0
    """Changes beyond those that are named."""
    not_kept: list[str] = []
    """`path: why` of what is in the tree without its content, as far as not told before."""
    excluded: list[str] = []
    """Globs of what is in no snapshot, told at the start."""
    seconds: float


class SnapshotFailed(EventBase):
    """No snapshot could be made; the session goes on. Told once, until one can be made again."""

    type: ClassVar[str] = "snapshot_failed"
    step: int
    reason: str
