"""Reads lines from standard input while the event loop runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST = 4095
"""Bytes of a line that a terminal gives to a program; it drops the rest."""
_CHUNK = 1 << 16


class TypedLines:
    """`take` is called with each line, `ended` once there are no more."""

    def __init__(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._take = take
        self._ended = ended
        self._rest = b""
        self._stdin = 0
        self._is_over = False

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
            asyncio.get_running_loop().call_soon(self._read_all)

    def end(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._stdin)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave standard input to others meanwhile."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    def _read_all(self) -> None:
        while not self._is_over:
            self._read()

    def _read(self) -> None:
        try:
            data = os.read(self._stdin, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the terminal is gone
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data:
            self._is_over = True
            self.end()
            lines, self._rest = [self._rest] if self._rest else [], b""
        for line in lines:
            self._take(line.rstrip(b"\r").decode("utf-8", "surrogateescape"))
        if self._is_over:
            self._ended()
