"""Reads lines from standard input while the event loop runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST = 4095
"""Bytes of a line that a terminal gives to a program; it drops the rest."""
MOST = 8 << 20
"""Bytes of a line that are kept."""
_CHUNK = 1 << 16


class TypedLines:
    """`take` is called with each line, `ended` once there are no more."""

    def __init__(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._take = take
        self._ended = ended
        self._rest: list[bytes] = []
        """The beginning of a line, in pieces."""
        self._size = 0
        self._stdin = 0
        self._is_over = self._is_file = False

    @property
    def are_typed(self) -> bool:
        """Whether they come from a terminal."""
        return os.isatty(self._stdin)

    def begin(self) -> None:
        """Read from now on."""
        if self._is_over:
            return
        try:
            asyncio.get_running_loop().add_reader(self._stdin, self._read)
        except PermissionError:  # a file, which never keeps its reader waiting
            self._is_file = True
            asyncio.get_running_loop().call_soon(self._read_file)

    def end(self) -> None:
        """Read no more."""
        self._is_file = False
        asyncio.get_running_loop().remove_reader(self._stdin)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave standard input to others meanwhile."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    def _read_file(self) -> None:
        """Read a piece; between two of them the loop does its other work."""
        if self._is_file:
            self._read()
            asyncio.get_running_loop().call_soon(self._read_file)

    def _read(self) -> None:
        try:
            data = os.read(self._stdin, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the terminal is gone
            data = b""
        *ends, begin = data.split(b"\n")
        for end in ends:
            self._add(end)
            self._take_line()
        self._add(begin)
        if not data:
            self._is_over = True
            self.end()
            if self._rest:
                self._take_line()
            self._ended()

    def _add(self, piece: bytes) -> None:
        if piece and self._size < MOST:
            self._rest.append(piece[: MOST - self._size])
            self._size += len(self._rest[-1])

    def _take_line(self) -> None:
        line = b"".join(self._rest)
        self._rest, self._size = [], 0
        self._take(line.rstrip(b"\r").decode("utf-8", "surrogateescape"))
