"""A pack: many small objects in one append-only file, compressed block by block.

A block is its header (magic, count of objects, bytes of the frame; big-endian), the sha256 and
the size of each object, and one zstd frame of their contents one after another. A pack has one
writer; a block that a killed writer left torn is its last.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from io import FileIO
from typing import Any, NamedTuple

from sandbox.snapshots.errors import SnapshotDamaged
from sandbox.snapshots.opening import open_kept

BLOCK = 256 << 10
"""Bytes of contents after which a block is written: large enough to compress well together,
small enough that reading one object of it costs half a millisecond."""
LEVEL = 1
"""Of zstd: four times smaller on source code, at a fraction of what the hash costs."""
MAX_CONTENTS = 256 << 20
"""Bytes of the contents of a block: the largest object is the tree of a directory whose lines take
128 MiB."""
_MAX_OBJECTS = 1 << 19
"""Objects of a block: one byte each, besides the empty one, they fill a block twice."""
_HEADER = struct.Struct(">4sIQ")
_OBJECT = struct.Struct(">32sQ")
_MAGIC = b"sii1"


class ObjectLocation(NamedTuple):
    """Where an object stands."""

    pack: str
    """File name."""
    block: int
    """Offset of the block in the pack."""
    start: int
    """Offset of the object in the block's contents."""
    size: int


Packed = tuple[bytes, int, int, int]
"""sha256, block, start and size of an object in some pack."""


@dataclass(slots=True)
class Block:
    """Objects that will be written to a pack together."""

    data: bytearray = field(default_factory=bytearray)
    objects: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """(start, size) by binary sha256."""

    def __len__(self) -> int:
        """Return the bytes of contents."""
        return len(self.data)

    def add(self, sha256: bytes, data: bytes) -> None:
        """Add an object."""
        self.objects[sha256] = len(self.data), len(data)
        self.data += data

    def get(self, sha256: bytes) -> bytes:
        """Return an object that was added. Raises `KeyError`."""
        start, size = self.objects[sha256]
        return bytes(self.data[start : start + size])

    def without(self, known: Collection[bytes]) -> Block:
        """Return a block of the objects that are not known."""
        if not known:
            return self
        block = Block()
        for sha256 in self.objects:
            if sha256 not in known:
                block.add(sha256, self.get(sha256))
        return block

    def encode(self, compressor: Any) -> bytes:
        """Return the block as a pack holds it."""
        frame: bytes = compressor.compress(self.data)
        table = b"".join(_OBJECT.pack(sha256, size) for sha256, (_, size) in self.objects.items())
        return _HEADER.pack(_MAGIC, len(self.objects), len(frame)) + table + frame


class PackWriter:
    """A new pack in a folder; not for several threads at a time. Raises `OSError`."""

    def __init__(self, folder: str) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self.name = f"{stamp}-{secrets.token_hex(4)}.pack"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(f"{folder}/{self.name}", flags, 0o600)
        # Says to others that it may grow; one who asks just now (`is_locked`) has it for a moment.
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self.end = 0
        """Bytes of whole blocks."""

    def append(self, block: bytes) -> int:
        """Write a block; return its offset. One that failed is written over by the next."""
        view, at = memoryview(block), self.end
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written
        start, self.end = self.end, at
        return start

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_block(path: str, offset: int, decompressor: Any) -> Block:
    """Return a block. Raises `SnapshotDamaged`, `OSError`."""
    from zstandard import ZstdError

    with _opened(path) as file:
        count, size = _header(os.pread(file.fileno(), _HEADER.size, offset), path)
        if offset + count * _OBJECT.size + size > os.fstat(file.fileno()).st_size:
            raise SnapshotDamaged(f"The pack {path} is shorter than it says.")
        table = os.pread(file.fileno(), count * _OBJECT.size, offset + _HEADER.size)
        frame = os.pread(file.fileno(), size, offset + _HEADER.size + len(table))
    try:
        _check_contents(frame, table, path)
        return Block(bytearray(decompressor.decompress(frame)), _objects_in(table))
    except (ZstdError, struct.error) as error:
        raise SnapshotDamaged(f"The pack {path} cannot be read: {error}.") from None


def read_raw(path: str, table: Table) -> bytes:
    """Return a block as a pack holds it. Raises `OSError`."""
    with _opened(path) as file:
        return os.pread(file.fileno(), table.end - table.block, table.block)


class Table(NamedTuple):
    """The list of the objects in one block."""

    block: int
    """Its offset in the pack."""
    end: int
    """Where it ends."""
    objects: list[Packed]


def read_tables(path: str, offset: int = 0) -> Iterator[Table]:
    """Yield the tables of the whole blocks from an offset on, reading nothing else.

    Raises `OSError`.
    """
    with _opened(path) as file:
        fd, end = file.fileno(), os.fstat(file.fileno()).st_size
        while True:
            try:
                count, size = _header(os.pread(fd, _HEADER.size, offset), path)
            except SnapshotDamaged:
                return
            table = offset + _HEADER.size
            after = table + count * _OBJECT.size + size
            if after > end:
                return
            found = _objects_in(os.pread(fd, count * _OBJECT.size, table))
            yield Table(offset, after, [(sha256, offset, *at) for sha256, at in found.items()])
            offset = after


def read_table(path: str, offset: int) -> tuple[list[Packed], int]:
    """Return (sha256, block, start, size) of every object in the blocks from an offset on.

    And where the last whole one ends. Raises `OSError`.
    """
    objects: list[Packed] = []
    for table in read_tables(path, offset):
        objects += table.objects
        offset = table.end
    return objects, offset


def pack_names(folder: str) -> list[str]:
    """Return the file names of the packs in a folder, the oldest first; `None` means no folder."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".pack"))
    except FileNotFoundError:
        return []


def _opened(path: str) -> FileIO:
    return FileIO(open_kept(path))


def _objects_in(table: bytes) -> dict[bytes, tuple[int, int]]:
    """Return (start, size) by sha256 of a block's objects."""
    objects = {}
    start = 0
    for sha256, size in _OBJECT.iter_unpack(table):
        objects[sha256] = start, size
        start += size
    return objects


def _check_contents(frame: bytes, table: bytes, path: str) -> None:
    """Raise `SnapshotDamaged` unless a frame unpacks to what the block's table lists, and not to
    more than a block holds: so much memory is taken at once. Raises `ZstdError`.
    """
    from zstandard import frame_content_size

    listed = sum(size for _, size in _OBJECT.iter_unpack(table))
    if listed > MAX_CONTENTS or frame_content_size(frame) != listed:
        raise SnapshotDamaged(f"The pack {path} has a block of another size than it says.")


def _header(data: bytes, path: str) -> tuple[int, int]:
    if len(data) == _HEADER.size:
        magic, count, size = _HEADER.unpack(data)
        if magic == _MAGIC and count <= _MAX_OBJECTS and size <= 2 * MAX_CONTENTS:
            return count, size
    raise SnapshotDamaged(f"The pack {path} has no block where one should stand.")
