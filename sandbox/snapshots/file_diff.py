"""Changes of files between two trees as text: unified diffs, or why there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.snapshots.changes import Change, change_of, differing
from sandbox.snapshots.entries import TreeEntry
from sandbox.snapshots.errors import Stopped
from sandbox.snapshots.objects import Objects
from sandbox.snapshots.text_diff import line_counts, quoted, unified_diff

_MAX_DIFF = 4 << 20
"""Bytes of a file that is shown as a diff."""
_MAX_COUNTED = 16 << 20
"""Bytes of the files of one step whose lines are counted."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The change of one path, with its text."""

    change: Change
    text: str
    """A unified diff, lines on the mode first, or a line that says why there is none; empty: only
    an empty file, a directory or a special file came, went or took another's place."""


@dataclass(frozen=True, slots=True)
class LineCounts:
    """The change of one path, with the numbers of added and deleted lines."""

    change: Change
    added: int | None = None
    """None: not counted (no text, not kept, too large)."""
    removed: int | None = None


class _NoText(Exception):
    """The content cannot be shown; the message says why."""


def file_diffs(
    objects: Objects, before: str | None, after: str, max_text: int, stop: threading.Event
) -> Iterator[FileDiff]:
    """Yield a diff for every change; after `max_text` characters only what changed.

    Raises `SnapshotNotFound`, `SnapshotDamaged`; `Stopped` once `stop` is set.
    """
    shown = 0
    for path, old, new in differing(objects, before, after):
        if stop.is_set():
            raise Stopped
        change = change_of(path, old, new)
        if change is None:
            continue
        text = _mode_lines(old, new)
        if shown < max_text:
            text += _content_lines(objects, old, new, path)
        elif _content(old) != _content(new):
            text += _differ(path, "the diff is too long to be shown whole")
        shown += len(text)
        yield FileDiff(change, text)


def count_lines(
    objects: Objects, before: str | None, after: str, most: int, stop: threading.Event
) -> tuple[tuple[LineCounts, ...], int]:
    """Return the first `most` changes with their lines counted, and how many more there are.

    Raises `SnapshotNotFound`, `SnapshotDamaged`; `Stopped` once `stop` is set.
    """
    counted: list[LineCounts] = []
    more = size = 0
    for path, old, new in differing(objects, before, after):
        if stop.is_set():
            raise Stopped
        change = change_of(path, old, new)
        if change is None:
            continue
        if len(counted) == most:
            more += 1
            continue
        size += sum(entry.size for entry in (old, new) if entry is not None)
        counted.append(_counted(objects, change, old, new, fits=size <= _MAX_COUNTED))
    return tuple(counted), more


def _counted(
    objects: Objects, change: Change, old: TreeEntry | None, new: TreeEntry | None, *, fits: bool
) -> LineCounts:
    is_file = any(entry is not None and entry.type == "file" for entry in (old, new))
    if not is_file or not fits or _content(old) == _content(new):
        return LineCounts(change)
    try:
        return LineCounts(change, *line_counts(_text(objects, old), _text(objects, new)))
    except _NoText:
        return LineCounts(change)


def _mode_lines(old: TreeEntry | None, new: TreeEntry | None) -> str:
    if old is None or new is None or old.type != new.type or old.mode == new.mode:
        return ""
    return f"old mode {old.mode:o}\nnew mode {new.mode:o}\n"


def _content_lines(
    objects: Objects, old: TreeEntry | None, new: TreeEntry | None, path: str
) -> str:
    if _content(old) == _content(new):
        return ""
    try:
        return unified_diff(_text(objects, old), _text(objects, new), path)
    except _NoText as why:
        return _differ(path, str(why))


def _differ(path: str, why: str) -> str:
    return f"{quoted('a/' + path)} and {quoted('b/' + path)} differ: {why}\n"


def _content(entry: TreeEntry | None) -> tuple[object, ...] | None:
    if entry is None or entry.type == "directory":
        return None
    return entry.type, entry.size, entry.sha256, entry.target, entry.not_kept, entry.stamp


def _text(objects: Objects, entry: TreeEntry | None) -> str | None:
    """Return a file's content or a symlink's target; None for what has neither."""
    if entry is None or entry.type in ("directory", "special"):
        return None
    if entry.type == "symlink":
        return entry.target.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if entry.not_kept is not None or entry.sha256 is None:
        raise _NoText(f"the content is not kept ({entry.not_kept})")
    if entry.binary:
        raise _NoText("the file is binary")
    if entry.size > _MAX_DIFF:
        raise _NoText(f"the file is larger than {_MAX_DIFF >> 20} MiB")
    return objects.get(entry.sha256, entry.size).decode("utf-8", "replace")
