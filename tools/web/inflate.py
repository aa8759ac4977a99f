"""The body of a page, unpacked as it comes and never beyond a limit."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

ACCEPTED = "gzip"
"""What is asked for as `Accept-Encoding`."""
_GZIP = 16 + zlib.MAX_WBITS
_PADDING = 64 << 10
"""Bytes of gzip that may come beyond what is in them."""


class UnknownCoding(Exception):
    """Raised for a body in another coding than was asked for; the message names it."""


async def read_body(pieces: AsyncIterator[bytes], coding: str, limit: int) -> bytes:
    """Return a body of `limit` bytes at most, or `limit + 1` bytes of a longer one.

    Raises `UnknownCoding`, `zlib.error`.
    """
    coding = coding.strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise UnknownCoding(coding[:40])
    unpack = _Gzip() if "gzip" in coding else None
    body, came = bytearray(), 0
    async for piece in pieces:
        came += len(piece)
        room = limit + 1 - len(body)
        body += piece[:room] if unpack is None else unpack.feed(piece, room)
        if len(body) > limit:
            break
        if came > limit + _PADDING:
            raise zlib.error(f"more than {limit:,} bytes of gzip with little in them")
    return bytes(body)


class _Gzip:
    """Members of gzip, one after another."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes, room: int) -> bytes:
        """Return what is in the data, up to so many bytes."""
        out = bytearray()
        while data and len(out) < room:
            out += self._member.decompress(data, room - len(out))
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data.lstrip(b"\0")
                self._member = zlib.decompressobj(_GZIP)
        return bytes(out)
