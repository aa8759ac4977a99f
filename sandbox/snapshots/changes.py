"""What differs between two trees, by path; unchanged directories are never read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sandbox.snapshots.entries import (
    MAX_DEPTH,
    MAX_PATH,
    EntryType,
    TreeEntry,
    decode_entries,
)
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotNotFound
from sandbox.snapshots.objects import Objects
from sandbox.snapshots.pack import MAX_CONTENTS

ChangeKind = Literal["added", "modified", "deleted", "mode", "type"]

MAX_TREE = MAX_CONTENTS
"""Bytes of one directory's tree."""
MAX_DIFFERING = 500_000
"""Paths that differ between two trees: a few small trees that name each other would be a billion
files. No tree that is written has more entries."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one path."""

    path: str
    """Relative to the workspace; undecodable bytes as lone surrogates (surrogateescape)."""
    kind: ChangeKind
    """`modified`: the content (of a file, of a link), perhaps its mode too. `mode`: that alone.
    `type`: it is another type of entry now. What is in a directory has its own changes."""
    type: EntryType
    """Type of the entry; of a deleted one, what it was."""
    size_before: int | None = None
    """Bytes; None for what was not a file."""
    size_after: int | None = None
    binary: bool = False
    """The file is, or was, binary."""
    not_kept: str | None = None
    """Why the content it has now is not in the store."""


Pair = tuple[TreeEntry | None, TreeEntry | None]
"""A name's entry before and after."""


def pairs(objects: Objects, before: str | None, after: str | None) -> dict[str, Pair]:
    """Return the entries of one directory that differ, by name, sorted; `None` means an empty tree.

    Raises `SnapshotNotFound`, `SnapshotDamaged`.
    """
    old, new = read_lines(objects, before), read_lines(objects, after)
    gone, come = decode_entries(old - new), decode_entries(new - old)
    return {name: (gone.get(name), come.get(name)) for name in sorted(gone.keys() | come.keys())}


def compare(objects: Objects, before: str | None, after: str | None) -> Iterator[Change]:
    """Yield every change between two trees. Raises `SnapshotNotFound`, `SnapshotDamaged`."""
    for path, old, new in differing(objects, before, after):
        change = change_of(path, old, new)
        if change is not None:
            yield change


def differing(
    objects: Objects, before: str | None, after: str | None
) -> Iterator[tuple[str, TreeEntry | None, TreeEntry | None]]:
    """Yield path and entries of all that differs, also directories for what is in them.

    Raises `SnapshotNotFound`, `SnapshotDamaged`.
    """
    if before == after:
        return
    for number, one in enumerate(_walk(objects, before, after, "", 0)):
        if number == MAX_DIFFERING:
            raise SnapshotDamaged(f"More than {MAX_DIFFERING:,} files and directories differ.")
        yield one


def read_lines(objects: Objects, tree: str | None) -> set[bytes]:
    """Return the lines of a tree. Raises `SnapshotNotFound`, `SnapshotDamaged`."""
    if tree is None:
        return set()
    try:
        data = objects.get(tree, MAX_TREE)
    except SnapshotNotFound:
        raise SnapshotNotFound(f"The store {objects.folder} has no tree {tree[:80]!r}.") from None
    if data.count(b"\n") + data.count(b"\r") > MAX_DIFFERING:
        raise SnapshotDamaged(f"The tree {tree} has more than {MAX_DIFFERING:,} entries.")
    return set(data.splitlines())


def _walk(
    objects: Objects, before: str | None, after: str | None, prefix: str, depth: int
) -> Iterator[tuple[str, TreeEntry | None, TreeEntry | None]]:
    if depth > MAX_DEPTH or len(prefix) > MAX_PATH + 1:
        raise SnapshotDamaged("A tree is deeper than any that is stored.")
    for name, (old, new) in pairs(objects, before, after).items():
        yield prefix + name, old, new
        inside = _tree_of(old), _tree_of(new)
        if inside[0] != inside[1]:
            yield from _walk(objects, *inside, f"{prefix}{name}/", depth + 1)


def _kind(old: TreeEntry | None, new: TreeEntry | None) -> ChangeKind | None:
    """Return the kind of a change, or None when only the content of a directory changed."""
    if old is None:
        return "added"
    if new is None:
        return "deleted"
    if old.type != new.type:
        return "type"
    if old.type == "directory":
        if old.not_kept != new.not_kept:
            return "modified"
        return "mode" if old.mode != new.mode else None
    return "mode" if _content(old) == _content(new) else "modified"


def _content(entry: TreeEntry) -> tuple[object, ...]:
    return entry.size, entry.sha256, entry.target, entry.not_kept, entry.stamp


def change_of(path: str, old: TreeEntry | None, new: TreeEntry | None) -> Change | None:
    """Return the change of a path, or None when only the content of a directory changed."""
    entry, kind = new or old, _kind(old, new)
    if entry is None or kind is None:
        return None
    return Change(
        path=path,
        kind=kind,
        type=entry.type,
        size_before=old.size if old and old.type == "file" else None,
        size_after=new.size if new and new.type == "file" else None,
        binary=any(side is not None and side.binary for side in (old, new)),
        not_kept=new.not_kept if new else None,
    )


def _tree_of(entry: TreeEntry | None) -> str | None:
    return entry.sha256 if entry is not None and entry.type == "directory" else None
