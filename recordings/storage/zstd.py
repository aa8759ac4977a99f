"""Seekable zstd: frames of about a megabyte, with a table of them at the end of the file.

Any zstd tool reads such a file from beginning to end; this module also reads at any offset. The
table is the "seekable format" of zstd's contrib directory (`zstd_seekable_compression_format.md`).
"""

from __future__ import annotations

import io
import struct
import sys
from array import array
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from recordings.errors import RecordingDamaged

FRAME = 1 << 20
"""Uncompressed bytes of one frame."""
LEVEL = 9
MUCH = 32 << 20
"""Bytes that any file may take unpacked."""
MOST_TIMES = 100
"""How many times smaller a larger one may be packed; real ones are 4 to 20 times smaller."""
_MOST_FRAMES = 1 << 18
"""Most frames of a file that is read: 256 GiB, whose table takes 6 MiB of memory."""

_OVERHEAD = 1 << 16
"""Bytes by which a frame may be longer than its content."""

_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")


def compress(source: BinaryIO, target: BinaryIO) -> None:
    """Compress `source` into `target`, as frames and their table."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    entries = []
    while data := source.read(FRAME):
        frame = compressor.compress(data)
        target.write(frame)
        entries.append(_ENTRY.pack(len(frame), len(data)))
    table = b"".join(entries) + _FOOTER.pack(len(entries), 0, _SEEKABLE)
    target.write(_HEADER.pack(_SKIPPABLE, len(table)) + table)


def is_bomb(packed: int, plain: int) -> bool:
    """Tell whether a file would take much more room unpacked than any that is packed here."""
    return plain > max(MUCH, packed * MOST_TIMES)


def open_compressed(file: BinaryIO, path: Path) -> BinaryIO:
    """Return a reader of an open file that `compress` wrote; closing it closes the file.

    `path` is its name in messages. Raises `RecordingDamaged`.
    """
    try:
        return io.BufferedReader(_Reader(file), FRAME)
    except (struct.error, OSError, ValueError) as error:
        file.close()
        raise RecordingDamaged(f"The packed file {path} is damaged: {error}.") from None


class _Reader(io.RawIOBase):
    """The uncompressed bytes, with one frame in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        sizes, lengths = _read_table(file)
        if max(lengths, default=0) > FRAME or max(sizes, default=0) > FRAME + _OVERHEAD:
            raise ValueError("its table names a frame that is too long")
        self._starts = array("Q", accumulate(sizes, initial=0))
        self._offsets = array("Q", accumulate(lengths, initial=0))
        self._position = 0
        self._frame = -1
        self._data = b""
        packed, plain = file.seek(0, io.SEEK_END), self._offsets[-1]
        if is_bomb(packed, plain):
            raise ValueError(
                f"{plain:,} bytes packed in {packed:,}: no session is so much smaller packed"
            )

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._offsets[-1]}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._offsets[-1]:
            return 0
        number = bisect_right(self._offsets, self._position) - 1
        self._load(number)
        view = memoryview(buffer).cast("B")
        start = self._position - self._offsets[number]
        data = self._data[start : start + len(view)]
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _load(self, number: int) -> None:
        if number == self._frame:
            return
        self._file.seek(self._starts[number])
        frame = self._file.read(self._starts[number + 1] - self._starts[number])
        length = self._offsets[number + 1] - self._offsets[number]
        try:
            # A frame may claim any length, and so much memory would be allocated.
            if zstandard.frame_content_size(frame) > length:
                raise zstandard.ZstdError("it is longer than its table says")
            data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=length)
        except zstandard.ZstdError as error:
            raise RecordingDamaged(f"Frame {number} of a packed file is damaged: {error}") from None
        if len(data) != length:
            raise RecordingDamaged(
                f"Frame {number} of a packed file is not as long as its table says"
            )
        self._data, self._frame = data, number


def _read_table(file: BinaryIO) -> tuple[array[int], array[int]]:
    """Return the sizes of the frames, and of their content.

    Raises `ValueError` for a table that does not fit the file: a file may claim any number.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(-_FOOTER.size, io.SEEK_END)
    count, flags, magic = _FOOTER.unpack(file.read(_FOOTER.size))
    if magic != _SEEKABLE or flags:
        raise ValueError("its table of frames is missing")
    if count > _MOST_FRAMES:
        raise ValueError(f"its table names {count:,} frames, and {_MOST_FRAMES:,} are read")
    file.seek(-_FOOTER.size - count * _ENTRY.size, io.SEEK_END)
    numbers = array("I", file.read(count * _ENTRY.size))
    if sys.byteorder == "big":
        numbers.byteswap()
    sizes, lengths = numbers[::2], numbers[1::2]
    if sum(sizes) + _HEADER.size + count * _ENTRY.size + _FOOTER.size != end:
        raise ValueError("its table of frames does not fit the file")
    return sizes, lengths
