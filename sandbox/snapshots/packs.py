"""The small objects of a store: gathered into blocks, written into one pack a process, found again.

No file and no sync an object: a hundred thousand small files are a few hundred writes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from sandbox.snapshots.errors import SnapshotDamaged
from sandbox.snapshots.index import ObjectIndex
from sandbox.snapshots.opening import is_own_folder, make_folder
from sandbox.snapshots.pack import BLOCK, Block, ObjectLocation, PackWriter, read_block

_CACHED = 4 << 20
"""Bytes of blocks that are remembered: neighbours in a tree are neighbours in a block."""


class Packs:
    """The packs in a store's folder, `packs/`, and their index. Safe for many threads."""

    def __init__(self, root: str) -> None:
        self._folder = f"{root}/packs"
        self._lock = threading.RLock()
        self._index = ObjectIndex(f"{root}/index.sqlite", self._folder)
        self._writer: PackWriter | None = None
        self._block = Block()
        self._unindexed: dict[bytes, tuple[int, int, int]] = {}
        """(block, start, size) of what is in the pack and not yet in the index."""
        self._blocks: OrderedDict[tuple[str, int], Block] = OrderedDict()
        self._caught_up = False
        self._flushed = 0
        self._found = False

    @property
    def written(self) -> int:
        """Bytes this process added, those that wait to be written included."""
        return self._flushed + len(self._block.data)

    def prepare(self) -> None:
        """Make the folder, and close an index that was deleted: what it says is outdated.

        Raises `OSError`.
        """
        make_folder(self._folder)
        with self._lock:
            if not self._index.is_in_place():
                self._index.close()

    def has(self, sha256: bytes) -> bool:
        """Whether an object is there. Raises `SnapshotError`."""
        with self._lock:
            if sha256 in self._block.objects or sha256 in self._unindexed:
                return True
            return self._is_there() and sha256 in self._index.places((sha256,))

    def put(self, sha256: bytes, data: bytes, compressor: Any) -> None:
        """Keep an object, if it is not there. Raises `SnapshotError`, `OSError`.

        The index is asked only as the block is written, for all that is in it.
        """
        with self._lock:
            if sha256 in self._block.objects or sha256 in self._unindexed:
                return
            if self._block.data and len(self._block.data) + len(data) > BLOCK:
                self._flush(compressor)
            self._block.add(sha256, data)

    def get(self, sha256: bytes) -> bytes | None:
        """Return an object, or None when it is in no pack. Raises `SnapshotError`."""
        with self._lock:
            if sha256 in self._block.objects:
                return self._block.get(sha256)
            for key, block in reversed(self._blocks.items()):
                if sha256 in block.objects:
                    self._blocks.move_to_end(key)
                    return block.get(sha256)
            lost = ""
            while (place := self._find(sha256)) is not None and place.pack != lost:
                with suppress(FileNotFoundError):
                    return self._read(place)
                lost = place.pack  # or cleaned away meanwhile: its objects are in another
                self._index.forget(lost)
            if lost:
                raise SnapshotDamaged(
                    f"The pack {lost} of the snapshots cannot be read: it is lost."
                )
            return None

    def commit(self, compressor: Any) -> None:
        """Write new objects to the disk and the index. Raises `SnapshotError`, `OSError`."""
        with self._lock:
            self._flush(compressor)
            writer, rows = self._writer, dict(self._unindexed)
            if writer is None or not rows:
                return
            end = writer.end
        writer.sync()
        with self._lock:
            self._index.add(writer.name, end, ((sha, *row) for sha, row in rows.items()))
            for sha256 in rows:
                self._unindexed.pop(sha256, None)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            self._index.close()
            self._block, self._unindexed = Block(), {}
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _flush(self, compressor: Any) -> None:
        """Write what is new in the block; one that cannot be written waits for the next try."""
        if not self._block.objects:
            return
        self._block = self._block.without(self._index.places(self._block.objects))
        if not self._block.objects:
            return
        if self._writer is None:
            self._writer = PackWriter(self._folder)
        encoded = self._block.encode(compressor)
        offset = self._writer.append(encoded)
        for sha256, (start, size) in self._block.objects.items():
            self._unindexed[sha256] = offset, start, size
        self._flushed += len(encoded)
        self._block = Block()

    def _find(self, sha256: bytes) -> ObjectLocation | None:
        if sha256 in self._unindexed and self._writer is not None:
            return ObjectLocation(self._writer.name, *self._unindexed[sha256])
        if not self._is_there():
            return None
        place = self._index.find(sha256)
        if place is None and not self._caught_up:
            self._caught_up = True  # once: what a power cut took from the index is in the packs
            self._index.catch_up()
            place = self._index.find(sha256)
        return place

    def _is_there(self) -> bool:
        self._found = self._found or is_own_folder(self._folder)
        return self._found

    def _read(self, place: ObjectLocation) -> bytes:
        """Read an object; its block is remembered, so that its neighbours need no index."""
        block = self._read_block(place)
        self._blocks[place.pack, place.block] = block
        while len(self._blocks) > 1 and sum(map(len, self._blocks.values())) > _CACHED:
            self._blocks.popitem(last=False)
        return bytes(block.data[place.start : place.start + place.size])

    def _read_block(self, place: ObjectLocation) -> Block:
        from zstandard import ZstdDecompressor

        try:
            return read_block(f"{self._folder}/{place.pack}", place.block, ZstdDecompressor())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SnapshotDamaged(
                f"The pack {place.pack} of the snapshots cannot be read: {error.strerror}."
            ) from error
