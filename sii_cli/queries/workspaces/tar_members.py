"""Reads a tar archive member by member in limited memory, without trusting any of it.

`tarfile` reads a PAX header or a long name of any length into memory, and its patterns were
quadratic until Python 3.11.10. Formats: POSIX.1-2001 (ustar, pax), and GNU's long names and
large numbers (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Literal, Protocol

from sii_cli.queries.workspaces.errors import SourceRefused

BLOCK = 512
MAX_EXTENDED = 1 << 20
"""Bytes of an extended header: names, attributes, times."""
XZ_MEMORY = 256 << 20
"""Bytes that unpacking xz may take: `xz -9` needs 65 MiB, and a header may ask for 4 GiB."""

Kind = Literal["file", "directory", "symlink", "hardlink"]

_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "directory",
}
_REFUSED = {b"3": "a device", b"4": "a device", b"6": "a FIFO", b"S": "a sparse file"}
_EXTENDED = {b"x": "pax", b"L": "path", b"K": "target"}
_SKIPPED = b"g"
"""Defaults for all members, such as git's comment that names a commit."""


class ByteSource(Protocol):
    """Where an archive's bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, or no bytes at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """What an archive says of one member; its content follows in the archive."""

    path: bytes
    kind: Kind
    size: int = 0
    mode: int = 0
    mtime: int = 0
    target: bytes = b""
    """Where a link points: of a symlink as it is, of a hard link a member's path."""


class TarReader:
    """Yields the members of an archive in their order; `read` gives the content of the last one."""

    def __init__(self, source: ByteSource, max_bytes: int) -> None:
        """No more than `max_bytes` are read from the source: headers and contents together."""
        self._source = source
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._content = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield each member. Raises `SourceRefused`, and `OSError` of the source."""
        extended: dict[str, bytes] = {}
        while (header := self._header()) is not None:
            kind = header[156:157]
            size = _number(header[124:136])
            if kind == _SKIPPED:
                self._extended(size)
            elif kind in _EXTENDED:
                data = self._extended(size)
                if _EXTENDED[kind] == "pax":
                    extended |= _pax_records(data)
                else:
                    extended[_EXTENDED[kind]] = data.rstrip(b"\0")
            else:
                member = _member(header, size, extended)
                self._begin(member.size)
                yield member
                self._skip()
                extended = {}

    def read(self, size: int = 1 << 20) -> bytes:
        """Return the next bytes of the member's content, or None at its end."""
        data = self._take(min(size, self._content))
        self._content -= len(data)
        return data

    def _begin(self, size: int) -> None:
        self._content, self._padding = size, -size % BLOCK
        if size > self._left:
            raise self._too_large()

    def _skip(self) -> None:
        while self.read():
            pass
        self._take(self._padding)

    def _extended(self, size: int) -> bytes:
        if size > MAX_EXTENDED:
            raise SourceRefused(f"it has a header of {size:,} bytes")
        self._begin(size)
        data = b""
        while chunk := self.read():
            data += chunk
        self._take(self._padding)
        return data

    def _header(self) -> bytes | None:
        """Return the next header, or None at the archive's end."""
        first = self._left == self._max_bytes
        header = self._source_read(BLOCK)
        if not header and not first:
            return None  # some programs write no end
        if len(header) < BLOCK:
            raise SourceRefused("it is not a tar archive" if first else "it is cut off")
        if not header.strip(b"\0"):
            return None
        if _octal(header[148:156]) != _checksum(header):
            raise SourceRefused("it is not a tar archive" if first else "a header is damaged")
        return header

    def _take(self, size: int) -> bytes:
        """Return exactly so many bytes. Raises `SourceRefused` when they are not there."""
        data = self._source_read(size)
        if len(data) < size:
            raise SourceRefused("it is cut off")
        return data

    def _source_read(self, size: int) -> bytes:
        if size > self._left:
            raise self._too_large()
        pieces = []
        while size and (piece := self._source.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self._left -= len(piece)
        return b"".join(pieces)

    def _too_large(self) -> SourceRefused:
        return SourceRefused(f"unpacked it is larger than {self._max_bytes:,} bytes")


def decompressed(file: IO[bytes]) -> ByteSource:
    """Return an archive's bytes, whatever it is compressed with, judged by its first ones."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start == b"\xfd7zXZ\0":
        return io.BufferedReader(_Xz(file))
    return file


class _Xz(io.RawIOBase):
    """An xz file, unpacked with a bound on the memory, which `lzma.LZMAFile` has not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = _xz_decoder()
        self._input = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer, or its beginning. Raises `EOFError`, `lzma.LZMAError`."""
        while True:
            if self._decoder.eof and not self._next_stream():
                return 0
            if self._decoder.needs_input and not self._input and not self._fill():
                raise EOFError("it is cut off")
            data = self._decoder.decompress(self._input, len(buffer))
            self._input = b""
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next_stream(self) -> bool:
        """Continue with the stream that follows, if any; zeros between them are padding."""
        self._input = self._decoder.unused_data.lstrip(b"\0")
        self._decoder = _xz_decoder()
        while not self._input:
            if not self._fill():
                return False
            self._input = self._input.lstrip(b"\0")
        return True

    def _fill(self) -> bool:
        self._input = self._file.read(1 << 16)
        return bool(self._input)


def _xz_decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _member(header: bytes, size: int, extended: dict[str, bytes]) -> Member:
    path = _text(header[:100])
    if header[257:263] == b"ustar\0" and (prefix := _text(header[345:500])):
        path = prefix + b"/" + path
    path = extended.get("path", path)
    flag = header[156:157]
    kind = _KINDS.get(flag)
    if kind is None or any(name.startswith("GNU.sparse") for name in extended):
        what = _REFUSED.get(flag, "a sparse file" if kind else "a member of an unknown kind")
        raise SourceRefused(f"{shown(path)} is {what}")
    if kind == "file" and path.endswith(b"/"):
        kind = "directory"  # of archives older than POSIX's
    member = Member(
        path=path,
        kind=kind,
        mode=_number(header[100:108]),
        mtime=_number(header[136:148]),
        target=extended.get("target", _text(header[157:257])),
    )
    if kind != "file":
        return member  # whatever its size field says: no content follows
    return replace(member, size=_pax_number(extended["size"]) if "size" in extended else size)


def _pax_records(data: bytes) -> dict[str, bytes]:
    """Return what of an extended header is used. Raises `SourceRefused`."""
    records: dict[str, bytes] = {}
    names = {b"path": "path", b"linkpath": "target", b"size": "size"}
    at = 0
    while at < len(data) and data[at] != 0:
        space = data.find(b" ", at, at + 8)
        length = _pax_number(data[at:space]) if space > at else 0
        record = data[space + 1 : at + length]
        name, equals, value = record.partition(b"=")
        if not space + 1 - at < length <= len(data) - at or not equals or not value.endswith(b"\n"):
            raise SourceRefused("an extended header is damaged")
        if name in names:
            records[names[name]] = value[:-1]
        elif name.startswith(b"GNU.sparse"):
            records["GNU.sparse"] = value
        at += length
    return records


def _number(field: bytes) -> int:
    """Return a number: octal, or of GNU's base 256. Raises `SourceRefused`."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] > 0x80:
        raise SourceRefused("a header holds a negative number")
    return _octal(field)


def _octal(field: bytes) -> int:
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise SourceRefused("a header is damaged")
    return int(digits or b"0", 8)


def _pax_number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise SourceRefused("an extended header is damaged")
    return int(text)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _checksum(header: bytes) -> int:
    return sum(header[:148]) + sum(header[156:]) + 8 * 0x20


def shown(path: bytes) -> str:
    """Return a name as a sentence can hold it."""
    return repr(path[:200].decode("utf-8", "replace"))
