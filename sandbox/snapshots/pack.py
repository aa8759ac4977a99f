"""A pack: many small objects in one append-only file, compressed block by block.

A block is its header (magic, count of objects, bytes of the frame; big-endian), the sha256 and
the size of each object, and one zstd frame of their contents one after another. A pack has one
writer; a block that a killed writer left torn is its last.
"""

from __future__ import annotations

import os
import secrets
import struct
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.snapshots.errors import SnapshotDamaged

BLOCK = 256 << 10
"""Bytes of contents after which a block is written: large enough to compress well together,
small enough that reading one object of it costs half a millisecond."""
_MAX_BLOCK = 1 << 31
_HEADER = struct.Struct(">4sIQ")
_OBJECT = struct.Struct(">32sQ")
_MAGIC = b"sii1"


class Place(NamedTuple):
    """Where an object stands."""

    pack: str
    """File name."""
    block: int
    """Offset of the block in the pack."""
    start: int
    """Offset of the object in the block's contents."""
    size: int


@dataclass(slots=True)
class Block:
    """Objects on their way into a pack."""

    data: bytearray = field(default_factory=bytearray)
    objects: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """(start, size) by binary sha256."""

    def add(self, sha256: bytes, data: bytes) -> None:
        """Take an object."""
        self.objects[sha256] = len(self.data), len(data)
        self.data += data

    def get(self, sha256: bytes) -> bytes:
        """Return an object that was taken. Raises `KeyError`."""
        start, size = self.objects[sha256]
        return bytes(self.data[start : start + size])

    def without(self, known: set[bytes]) -> Block:
        """Return a block of the objects that are not known."""
        if not known:
            return self
        block = Block()
        for sha256 in self.objects:
            if sha256 not in known:
                block.add(sha256, self.get(sha256))
        return block

    def encode(self, compressor: Any) -> bytes:
        """Return the block as it stands in a pack."""
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
        """Have what was written on the disk on return."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def read_block(path: str, offset: int, decompressor: Any) -> bytes:
    """Return the contents of a block. Raises `SnapshotDamaged`, `OSError`."""
    from zstandard import ZstdError

    with open(path, "rb", buffering=0) as file:
        count, size = _header(os.pread(file.fileno(), _HEADER.size, offset), path)
        frame = os.pread(file.fileno(), size, offset + _HEADER.size + count * _OBJECT.size)
    try:
        contents: bytes = decompressor.decompress(frame, max_output_size=_MAX_BLOCK)
    except ZstdError as error:
        raise SnapshotDamaged(f"The pack {path} cannot be read: {error}.") from None
    return contents


def read_table(path: str, offset: int) -> tuple[list[tuple[bytes, int, int, int]], int]:
    """Return (sha256, block, start, size) of every object in the blocks from an offset on.

    And where the last whole one ends. Raises `OSError`.
    """
    objects: list[tuple[bytes, int, int, int]] = []
    with open(path, "rb", buffering=0) as file:
        fd, end = file.fileno(), os.fstat(file.fileno()).st_size
        while True:
            try:
                count, size = _header(os.pread(fd, _HEADER.size, offset), path)
            except SnapshotDamaged:
                return objects, offset
            table = offset + _HEADER.size
            after = table + count * _OBJECT.size + size
            if after > end:
                return objects, offset
            start = 0
            for sha256, length in _OBJECT.iter_unpack(os.pread(fd, count * _OBJECT.size, table)):
                objects.append((sha256, offset, start, length))
                start += length
            offset = after


def _header(data: bytes, path: str) -> tuple[int, int]:
    if len(data) == _HEADER.size:
        magic, count, size = _HEADER.unpack(data)
        if magic == _MAGIC and size <= _MAX_BLOCK:
            return count, size
    raise SnapshotDamaged(f"The pack {path} has no block where one should stand.")
