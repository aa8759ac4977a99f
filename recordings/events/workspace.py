"""Events of the workspace: its snapshots and changes."""

from __future__ import annotations

from typing import ClassVar, Literal

from recordings.events.parts import EventBase, EventPart


class FileChange(EventPart):
    """A change of one path of the workspace."""

    path: str
    """Relative to the workspace; bytes that are not UTF-8 or not printable are escaped."""
    kind: Literal["added", "modified", "deleted", "mode", "type"]
    """`type`: it is another type of entry now (file, directory, symlink, special)."""
    added: int | None = None
    """Lines; `None` where they are not counted: not text, too large, or not kept."""
    removed: int | None = None
    binary: bool = False
    not_kept: str | None = None
    """Why its content is not in a snapshot: `too large`, `unreadable`, …"""

    def then(self, after: FileChange) -> FileChange:
        """Return this change and a later one of the same path as one change."""
        kind = "added" if self.kind == "added" and after.kind == "modified" else after.kind
        counts = {
            "added": _total(self.added, after.added),
            "removed": _total(self.removed, after.removed),
        }
        return after.model_copy(update={"kind": kind, **counts})


def _total(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


class Snapshot(EventBase):
    """The workspace at one moment, kept in the store of snapshots under its tree's hash.

    Written at the start, when something changed since the last snapshot, and before an earlier
    tree is restored. A step without a snapshot did not change the workspace. A snapshot may come
    after the next step's model call has begun, but always before its tool calls.
    """

    type: ClassVar[str] = "snapshot"
    step: int
    """The last step whose calls had ended; 0 before the first."""
    cause: Literal[
        "start", "step", "round", "resume", "command", "before", "undo", "restore", "fork"
    ]
    """Why it was taken. `command` has what a `human_command` changed. `round` and `resume` have
    changes that others made, between rounds or processes. `undo` and `restore` restored an earlier
    tree, and `before` is the tree until then: when neither follows it, they were interrupted.
    `fork` wrote the tree of the shared events into the fork's own directory."""
    tree: str
    """sha256 of the root's tree: equal workspaces have equal hashes."""
    changes: list[FileChange] = []
    """Since the previous snapshot; for a directory its content is named, not the directory."""
    unnamed: int = 0
    """Number of changes that are not named."""
    not_kept: list[str] = []
    """`path: why` of each entry that is in the tree without its content, once."""
    excluded: list[str] = []
    """Globs of files that snapshots leave out; in the first snapshot only."""
    seconds: float


class SnapshotFailed(EventBase):
    """A snapshot failed; the session continues. Recorded once, until a snapshot succeeds again."""

    type: ClassVar[str] = "snapshot_failed"
    step: int
    reason: str
