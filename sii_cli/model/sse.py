"""Server-sent events: bytes as they arrive → the data of each event."""

from __future__ import annotations

from collections.abc import Iterator

DONE = b"[DONE]"
MAX_LINE = 64 << 20
"""Bytes of one line: the prompt ids of a long context come as one line of some megabytes."""

_OTHER_FIELDS = (b":", b"event:", b"id:", b"retry:")


class BadStream(Exception):
    """What the server sends is no event stream."""


class EventSplitter:
    """Cuts a byte stream into events, however it is chunked."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of every event line that is whole now. Raises `BadStream`.

        vLLM sends every event as one `data: …` line; comments and other fields are skipped.
        """
        self._rest += chunk
        if b"\n" not in chunk:
            if len(self._rest) > MAX_LINE:
                raise BadStream(f"a line of over {MAX_LINE} bytes")
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data:
                    yield data
            elif line.strip() and not line.startswith(_OTHER_FIELDS):
                raise BadStream(f"a line that is no event: {line[:80]!r}")
