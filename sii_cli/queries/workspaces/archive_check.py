"""Looks whether archives would be unpacked, as far as their beginning shows: nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from sii_cli.queries.workspaces.errors import SourceRefused
from sii_cli.queries.workspaces.extraction import (
    UNPACKABLE,
    check_link,
    names_of,
    open_archive,
    why_unpackable,
)
from sii_cli.queries.workspaces.tar_members import (
    ByteSource,
    Kind,
    Member,
    TarReader,
    decompressed,
    shown,
)

MOST = 32 << 20
"""Bytes of an archive that are unpacked to look at it."""
MOST_OF_ALL = 256 << 20
"""Bytes of all archives of a query file."""
MOST_NAMES = 100_000
"""Files, directories and links of an archive that are looked at."""
_NO_LIMIT = 1 << 62
"""The disk limit is a setting, and no part of the file."""

Names = tuple[bytes, ...]


class ArchiveChecks:
    """The looks at the archives of one query file; each archive is looked at once."""

    def __init__(self) -> None:
        self._left = MOST_OF_ALL
        self._found: dict[Path, str | None] = {}

    def fault(self, path: Path) -> str | None:
        """Return why an archive would be refused, or None. Blocks."""
        if path not in self._found:
            self._found[path] = self._look(path)
        return self._found[path]

    def _look(self, path: Path) -> str | None:
        try:
            with closing(open_archive(path)) as file:
                source = _Beginning(file, min(MOST, self._left))
                try:
                    _check(source)
                finally:
                    self._left -= source.read_so_far
        except _Enough:
            return None
        except UNPACKABLE as error:
            return str(why_unpackable(error))
        except (SourceRefused, OSError) as error:
            return str(error)
        return None


class _Enough(Exception):
    """Raised when as much was read as is looked at."""


class _Beginning:
    """The first bytes of an archive, unpacked."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._source: ByteSource = decompressed(file)
        self._most = most
        self.read_so_far = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes. Raises `_Enough`."""
        if self.read_so_far >= self._most:
            raise _Enough
        data = self._source.read(min(size, 1 << 20))
        self.read_so_far += len(data)
        return data


def _check(source: ByteSource) -> None:
    """Raise `SourceRefused` for the first member that would be refused, or `_Enough`."""
    made: dict[Names, Kind] = {}
    for member in TarReader(source, _NO_LIMIT).members():
        if len(made) > MOST_NAMES:
            raise _Enough
        names = tuple(names_of(member.path))
        above = names if member.kind == "directory" else names[:-1]
        for folder in _with_all_above(above):
            if made.setdefault(folder, "directory") != "directory":
                raise SourceRefused(f"{shown(b'/'.join(above))} leads through a link or a file")
        if member.kind != "directory":
            _check_member(member, names, made)
            made[names] = "symlink" if member.kind == "symlink" else "file"


def _check_member(member: Member, names: Names, made: dict[Names, Kind]) -> None:
    if not names:
        raise SourceRefused(f"{shown(member.path)} names no file")
    if member.kind == "symlink":
        check_link(member, len(names) - 1)
    if member.kind == "hardlink" and made.get(tuple(names_of(member.target))) != "file":
        raise SourceRefused(
            f"{shown(member.path)} is a link to {shown(member.target)}, which is not a file before "
            "it"
        )
    if made.get(names) == "directory":
        raise SourceRefused(f"{shown(member.path)} is a directory, and then not")


def _with_all_above(folder: Names) -> Iterator[Names]:
    return (folder[:depth] for depth in range(1, len(folder) + 1))
