"""Server-sent events: bytes as they arrive → the data of each event."""

from __future__ import annotations

from collections.abc import Iterator

from sii_cli.model.response_limits import LARGE_EVENT, MOST_LARGE, MOST_NESTED, ResponseTooLarge

DONE = b"[DONE]"
MAX_LINE = 16 << 20
"""Bytes of one line, where nothing narrower is known."""
MAX_SKIPPED = 4 << 20
"""Bytes of an answer beside its data: ends of events, comments that keep a connection open."""
_OTHER_FIELDS = (b":", b"event:", b"id:", b"retry:")


class BadStream(Exception):
    """Raised when what the server sends is not a stream of chat completion events."""


class EventSplitter:
    """Cuts a byte stream into events, however it is chunked."""

    def __init__(self, longest: int = MAX_LINE) -> None:
        """`longest`: bytes of one line."""
        self._longest = longest
        self._rest = bytearray()
        self._skipped = 0
        self._large = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of every event line that is complete now.

        Raises `BadStream`, `ResponseTooLarge`.

        vLLM sends every event as one `data: …` line; comments and other fields are skipped.
        """
        self._rest += chunk
        if b"\n" not in chunk:
            if len(self._rest) > self._longest:
                raise ResponseTooLarge(f"an event of more than {self._longest:,} bytes")
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                if data := line[5:].strip():
                    self._count(data)
                    yield data
                continue
            self._skipped += len(line) + 1
            if line.strip() and not line.startswith(_OTHER_FIELDS):
                raise BadStream(f"a line that is not an event: {line[:80]!r}")
        if self._skipped > MAX_SKIPPED:
            raise ResponseTooLarge(f"more than {MAX_SKIPPED:,} bytes between its events")

    def _count(self, data: bytes) -> None:
        if len(data) <= LARGE_EVENT:
            return
        if data.count(b"[") + data.count(b"{") > MOST_NESTED:
            raise ResponseTooLarge(f"an event of more than {MOST_NESTED:,} lists and objects")
        self._large += 1
        if self._large > MOST_LARGE:
            raise ResponseTooLarge(f"more than {MOST_LARGE} events of over {LARGE_EVENT:,} bytes")
