"""The chunked transfer coding of HTTP/1.1 (RFC 9112, 7.1), decoded as it arrives."""

from __future__ import annotations

MAX_LINE = 4 << 10
"""Bytes of a chunk's size line, its extensions included, and of a trailer."""


class BadChunk(Exception):
    """What came is no chunked body."""


class Chunked:
    """Takes the framing off a body, however the bytes are cut."""

    def __init__(self) -> None:
        self.is_done = False
        self._left = 0
        """Bytes still to come of the chunk under way, its line end (2) included."""
        self._line = b""
        """The start of a line that is not whole yet."""
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in what came. Raises `BadChunk`."""
        if self._line:
            data, self._line = self._line + data, b""
        out: list[bytes] = []
        at = 0
        while at < len(data) and not self.is_done:
            if self._left:
                end = min(at + self._left, len(data))
                out.append(data[at : min(end, at + max(self._left - 2, 0))])
                self._left -= end - at
            else:
                end = self._take_line(data, at)
            at = end
        return out[0] if len(out) == 1 else b"".join(out)

    def _take_line(self, data: bytes, at: int) -> int:
        """Take a size line or a trailer; return where it ends."""
        end = data.find(b"\n", at)
        if end < 0:
            self._line = data[at:]
            if len(self._line) > MAX_LINE:
                raise BadChunk(f"a chunk's size line of over {MAX_LINE} bytes")
            return len(data)
        line = data[at:end].strip()
        if self._in_trailers:
            self.is_done = not line
        else:
            self._left = _size(line) + 2
            if self._left == 2:
                self._left, self._in_trailers = 0, True
        return end + 1


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        if len(digits) > 16 or not digits.isalnum():
            raise ValueError
        return int(digits, 16)
    except ValueError:
        raise BadChunk(f"no chunk size but {line[:40]!r}") from None
