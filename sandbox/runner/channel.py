"""Frames over non-blocking file descriptors: the supervisor's side of every conversation.

Nothing here waits. What cannot be written now is queued, and a large producer asks
`congested` first.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from .frames import FrameDecoder, FrameError, Head, encode
from .loop import Callback, EventLoop

HIGH_WATER = 1 << 20
"""Queued bytes from which producers should pause."""
READ_SIZE = 64 << 10
"""Bytes to read at once: for twice as much, memory would be mapped again at every reading, which
takes longer than all the rest."""


class Channel:
    """Frames to and from one peer. `on_end` is called once: at its end or an unreadable frame."""

    def __init__(
        self,
        loop: EventLoop,
        read_fd: int,
        write_fd: int,
        on_frame: Callable[[Head, bytes], None],
        on_end: Callback,
    ) -> None:
        self._loop = loop
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._on_frame = on_frame
        self._on_end = on_end
        self._decoder = FrameDecoder()
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._drained: list[Callback] = []
        self.open = True
        for fd in {read_fd, write_fd}:
            os.set_blocking(fd, False)
        loop.add_reader(read_fd, self._readable)

    @property
    def congested(self) -> bool:
        """Whether the peer reads more slowly than we write."""
        return self._queued >= HIGH_WATER

    def when_drained(self, callback: Callback) -> None:
        """Call once when the queue is empty again."""
        self._drained.append(callback)

    def send(self, head: Head, body: bytes = b"", *, urgent: bool = False) -> None:
        """Write a frame, or queue it; an urgent one overtakes the queue."""
        if not self.open:
            return
        view = memoryview(encode(head, body))
        if not self._queue:
            view = self._write(view)
            if not view:
                return
            self._loop.add_writer(self._write_fd, self._writable)
            self._queue.append(view)
        else:
            # The first entry may be half written: nothing gets before it.
            self._queue.insert(1 if urgent else len(self._queue), view)
        self._queued += len(view)

    def _write(self, view: memoryview) -> memoryview:
        """Write what the peer accepts now; return the rest."""
        try:
            while view:
                view = view[os.write(self._write_fd, view) :]
        except BlockingIOError:
            pass
        except OSError:
            self._end()
            return memoryview(b"")
        return view

    def _writable(self) -> None:
        while self._queue:
            view = self._queue[0]
            rest = self._write(view)
            if not self.open:
                return
            self._queued -= len(view) - len(rest)
            if rest:
                self._queue[0] = rest
                return
            self._queue.popleft()
        self._loop.remove_writer(self._write_fd)
        drained, self._drained = self._drained, []
        for callback in drained:
            callback()

    def _readable(self) -> None:
        try:
            data = os.read(self._read_fd, READ_SIZE)
            frames = self._decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, FrameError):
            data, frames = b"", []
        if not data:
            self._end()
            return
        for head, body in frames:
            self._on_frame(head, body)

    def pause(self) -> None:
        """Read nothing for now."""
        self._loop.remove_reader(self._read_fd)

    def resume(self) -> None:
        """Read again."""
        if self.open:
            self._loop.add_reader(self._read_fd, self._readable)

    def close(self) -> None:
        """Close without calling `on_end`."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._read_fd)
        self._loop.remove_writer(self._write_fd)
        for fd in {self._read_fd, self._write_fd}:
            with suppress(OSError):
                os.close(fd)

    def _end(self) -> None:
        if self.open:
            self.close()
            self._on_end()
