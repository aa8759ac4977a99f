"""The frames that client and runner exchange: a JSON head and a raw body, lengths in front.

`>II` head length, body length; then the head (a JSON object in UTF-8); then the body as it is.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported for real, `typing` would cost every sandbox 700 kB and 4 ms
    from typing import Any, TypeAlias

Head: TypeAlias = "dict[str, Any]"
Frame = tuple[Head, bytes]

HEADER = struct.Struct(">II")
MAX_HEAD = 1 << 20
MAX_BODY = 1 << 20
CHUNK = 256 << 10
"""Bytes of a file or of output that one frame carries at most: small, so that pings get by."""


_to_json = json.JSONEncoder(separators=(",", ":")).encode


class FrameError(ValueError):
    """The bytes are not frames: the stream cannot be trusted any more."""


def encode(head: Head, body: bytes | memoryview = b"") -> bytes:
    """Return the frame as bytes. Raises `FrameError` when it is larger than a reader takes."""
    text = _to_json(head).encode()
    if len(text) > MAX_HEAD or len(body) > MAX_BODY:
        raise FrameError(f"frame too large: head {len(text)} bytes, body {len(body)} bytes")
    return b"".join((HEADER.pack(len(text), len(body)), text, body))


def read_frame(read: Callable[[int], bytes]) -> Frame:
    """Read one frame and not a byte more, waiting for it; `read` returns at most so many bytes.

    Raises `FrameError`, also when the stream ends before the frame does.
    """
    decoder = FrameDecoder()
    frames: list[Frame] = []
    while not frames:
        data = read(decoder.missing)
        if not data:
            raise FrameError("the stream ended within a frame")
        frames = decoder.feed(data)
    return frames[0]


class FrameDecoder:
    """Turns a byte stream, cut anywhere, back into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = HEADER.size

    @property
    def missing(self) -> int:
        """Bytes until the next header or frame is whole."""
        return self._need - len(self._buffer)

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """Add bytes; return the frames that are complete now. Raises `FrameError`."""
        self._buffer += data
        if len(self._buffer) < self._need:
            return []
        frames: list[Frame] = []
        start = 0
        with memoryview(self._buffer) as view:  # a slice of it copies nothing
            while len(view) - start >= self._need:
                if self._need == HEADER.size:
                    self._need += _size_at(view, start)
                    continue
                frames.append(_frame_at(view, start))
                start += self._need
                self._need = HEADER.size
        del self._buffer[:start]
        return frames


def _size_at(view: memoryview, start: int) -> int:
    """Return the size of head and body of the frame whose header stands at `start`."""
    head, body = HEADER.unpack_from(view, start)
    if not 2 <= head <= MAX_HEAD or body > MAX_BODY:
        raise FrameError(f"impossible frame: head {head} bytes, body {body} bytes")
    return int(head + body)


def _frame_at(view: memoryview, start: int) -> Frame:
    head_size, body_size = HEADER.unpack_from(view, start)
    split = start + HEADER.size + head_size
    try:
        head = json.loads(str(view[start + HEADER.size : split], "utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame's head is not JSON: {error}") from None
    if not isinstance(head, dict):
        raise FrameError("a frame's head is not a JSON object")
    return head, bytes(view[split : split + body_size])
