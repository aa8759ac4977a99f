"""Rewrites packs without the objects that the index no longer has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.snapshots.errors import SnapshotDamaged, SnapshotError
from sandbox.snapshots.index import ObjectIndex
from sandbox.snapshots.pack import (
    BLOCK,
    LEVEL,
    Block,
    ObjectLocation,
    Packed,
    PackWriter,
    Table,
    pack_names,
    read_block,
    read_raw,
    read_tables,
)
from sandbox.snapshots.usage import alone, is_locked

_DAMAGED = "The pack {} is left as it is: it holds something damaged."


@dataclass(frozen=True, slots=True)
class RepackCandidate:
    """A pack of which something is no longer in the index."""

    name: str
    live: int
    """Objects that stay."""
    dead: int
    """Bytes on the disk that would go; a guess where a block loses only some of its objects."""
    is_damaged: bool
    """Its tables do not say where all stands that the index knows to be in it."""


class Repacker:
    """Rewrites the packs of a store."""

    def __init__(self, store: Path, index: ObjectIndex, stays: Callable[[bytes], bool]) -> None:
        """`stays` tells of an object of the index whether it will be kept."""
        self._store = store
        self._folder = f"{store}/packs"
        self._index = index
        self._stays = stays

    def survey(self) -> list[RepackCandidate]:
        """Return the packs that can be made smaller and that nobody adds to. Raises `OSError`."""
        known = self._index.counts()
        found = (self._survey(name, known) for name in pack_names(self._folder))
        return [pack for pack in found if pack is not None]

    def replace(self, pack: RepackCandidate) -> int:
        """Replace a pack by a new one; return how many bytes that freed.

        Killed at any moment, every object is in one of the two. Raises `SnapshotError`,
        `OSError`.
        """
        if pack.is_damaged:
            raise SnapshotDamaged(_DAMAGED.format(pack.name))
        size = os.path.getsize(f"{self._folder}/{pack.name}")
        if not pack.live:
            return size if self._take_place(pack.name, "", 0, []) else 0
        new = PackWriter(self._folder)
        try:
            moved = self._copy(pack.name, new)
            new.sync()
            _sync_folder(self._folder)
            if self._take_place(pack.name, new.name, new.end, moved):
                return size - new.end
            self._discard(new.name)
        except (SnapshotError, OSError):  # not Ctrl-C, which may come when the old one is gone
            self._discard(new.name)
            raise
        finally:
            new.close()
        return 0

    def _discard(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(f"{self._folder}/{name}")

    def _take_place(self, old: str, new: str, end: int, moved: list[Packed]) -> bool:
        """Replace the old pack by the new one, unless a process still uses the old one."""
        with alone(self._store):
            if is_locked(f"{self._folder}/{old}") or not self._index.is_in_place():
                return False
            self._index.replace(old, new, end, moved)
            self._discard(old)  # it has nothing any more that is not in the new one
        return True

    def _survey(self, name: str, known: dict[str, int]) -> RepackCandidate | None:
        path = f"{self._folder}/{name}"
        if is_locked(path):
            return None
        live, lost, found, kept, end = 0, 0, 0, 0.0, 0
        for table, there in self._tables(name):
            found += len(there)
            there = [packed for packed in there if self._stays(packed[0])]
            live += len(there)
            lost += len(table.objects) - len(there)
            whole = sum(size for *_, size in table.objects) or 1
            kept += (table.end - table.block) * sum(size for *_, size in there) / whole
            end = table.end
        size = os.path.getsize(path)
        if live and not lost and end == size:
            return None
        is_damaged = found != known.get(name, 0) and found != self._index.counts().get(name, 0)
        return RepackCandidate(name, live, 0 if is_damaged else size - int(kept), is_damaged)

    def _copy(self, name: str, new: PackWriter) -> list[Packed]:
        """Write what stays of a pack; return where it stands now."""
        from zstandard import ZstdCompressor, ZstdDecompressor

        path = f"{self._folder}/{name}"
        compressor, decompressor = ZstdCompressor(LEVEL), ZstdDecompressor()
        moved: list[Packed] = []
        block = Block()
        for table, there in self._tables(name):
            if len(there) == len(table.objects):
                offset = new.append(read_raw(path, table))
                moved += [(sha256, offset, start, size) for sha256, _, start, size in there]
                continue
            stored = read_block(path, table.block, decompressor) if there else Block()
            for sha256, *_ in there:
                data = stored.get(sha256)
                if hashlib.sha256(data).digest() != sha256:
                    raise SnapshotDamaged(_DAMAGED.format(name))
                block.add(sha256, data)
            if len(block.data) >= BLOCK:
                moved += _write(block, new, compressor)
                block = Block()
        return moved + _write(block, new, compressor)

    def _tables(self, name: str) -> Iterator[tuple[Table, list[Packed]]]:
        """Yield the tables of a pack, each with those of its objects that the index has there."""
        for table in read_tables(f"{self._folder}/{name}"):
            places = self._index.places(sha256 for sha256, *_ in table.objects)
            yield (
                table,
                [
                    packed
                    for packed in table.objects
                    if places.get(packed[0]) == ObjectLocation(name, *packed[1:])
                ],
            )


def _write(block: Block, new: PackWriter, compressor: Any) -> list[Packed]:
    if not block.objects:
        return []
    offset = new.append(block.encode(compressor))
    return [(sha256, offset, start, size) for sha256, (start, size) in block.objects.items()]


def _sync_folder(folder: str) -> None:
    """Return when the names in a folder are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
