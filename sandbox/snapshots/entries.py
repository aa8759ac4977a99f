"""Entries of a directory, and trees: the entries of one directory as bytes, and back."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quote
from typing import Any, Literal

from sandbox.snapshots.errors import SnapshotDamaged

EntryType = Literal["file", "directory", "symlink", "special"]

MAX_DEPTH = 128
"""Directories within one another that are entered; each holds a descriptor open."""

MAX_PATH = 1024
"""Characters of the path of a directory that is entered: what is named is named by its path, and
a hostile one could be made of 128 names of 255 bytes."""

_MAX_NAME = 255
_MAX_TARGET = 4095
"""Bytes of a name and of a link's target that Linux allows."""

_TYPES = frozenset(("file", "directory", "symlink", "special"))
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILE_BITS = 0o1777
_DIRECTORY_BITS = 0o7777


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What stands under a name in a directory; the fields are explained with the format."""

    name: str
    type: EntryType
    mode: int = 0
    size: int = 0
    sha256: str | None = None
    binary: bool = False
    target: str = ""
    not_kept: str | None = None
    stamp: int = 0


_CHECKS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "type": str,
    "mode": int,
    "size": int,
    "sha256": (str, type(None)),
    "binary": bool,
    "target": str,
    "not_kept": (str, type(None)),
    "stamp": int,
}


def kept_mode(mode: int) -> int:
    """Return the bits of a file's or directory's mode that a tree keeps."""
    return mode & (_DIRECTORY_BITS if stat.S_ISDIR(mode) else _FILE_BITS)


def encode_entry(entry: TreeEntry) -> bytes:
    """Return an entry's line, without its end: what `json.dumps` makes of it, five times faster."""
    text = f'{{"name":{_quote(entry.name)},"type":"{entry.type}"'
    if entry.mode:
        text += f',"mode":{entry.mode}'
    if entry.size:
        text += f',"size":{entry.size}'
    if entry.sha256 is not None:
        text += f',"sha256":"{entry.sha256}"'
    if entry.binary:
        text += ',"binary":true'
    if entry.target:
        text += f',"target":{_quote(entry.target)}'
    if entry.not_kept is not None:
        text += f',"not_kept":{_quote(entry.not_kept)}'
    if entry.stamp:
        text += f',"stamp":{entry.stamp}'
    return (text + "}").encode("ascii")


def encode_tree(lines: dict[str, bytes]) -> bytes:
    """Return the tree of a directory whose entries' lines are given by name."""
    return b"".join(lines[name] + b"\n" for name in sorted(lines, key=os.fsencode))


def decode_entries(lines: Iterable[bytes]) -> dict[str, TreeEntry]:
    """Return the entries of some lines of one tree, by name; a tree is trusted in nothing.

    Raises `SnapshotDamaged`.
    """
    entries: dict[str, TreeEntry] = {}
    for line in lines:
        entry = _decode_entry(line)
        if entry.name in entries:
            raise SnapshotDamaged(f"A tree names {entry.name!r} twice.")
        entries[entry.name] = entry
    return entries


def _decode_entry(line: bytes) -> TreeEntry:
    try:
        values = json.loads(line)
        entry = TreeEntry(**values)
    except (ValueError, TypeError, RecursionError) as error:
        raise SnapshotDamaged(f"A tree holds a line that is not an entry: {error}.") from None
    if not _sound(entry, values):
        raise SnapshotDamaged(f"A tree holds an entry that cannot be: {line[:200]!r}.")
    return entry


def _sound(entry: TreeEntry, values: dict[str, Any]) -> bool:
    if not all(isinstance(value, _CHECKS[name]) for name, value in values.items()):
        return False
    if entry.type not in _TYPES or not _is_name(entry.name) or not _is_target(entry):
        return False
    if entry.size < 0 or entry.mode != entry.mode & _DIRECTORY_BITS:
        return False
    if entry.not_kept is not None or entry.type in ("symlink", "special"):
        return entry.sha256 is None
    return entry.sha256 is not None and _SHA256.fullmatch(entry.sha256) is not None


def _is_name(name: str) -> bool:
    """Whether a directory can have an entry of this name, so that no name leads out of it."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    return _fits(name, _MAX_NAME)


def _is_target(entry: TreeEntry) -> bool:
    if entry.type == "symlink" and not entry.target:
        return False
    return "\0" not in entry.target and _fits(entry.target, _MAX_TARGET)


def _fits(text: str, most: int) -> bool:
    """Whether a file system takes a text, of at most so many bytes."""
    try:
        return len(os.fsencode(text)) <= most
    except UnicodeEncodeError:
        return False
