"""Reads one command's output: the head goes to the client as it comes, of the rest a tail is kept.

A command ends when its process ends. Later output of a process that still holds the pipe is read
and dropped, so that background processes never block on it or die of it.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
from collections.abc import Callable
from contextlib import suppress

from .channel import Channel
from .frames import CHUNK
from .loop import Callback, EventLoop

PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031
_SMALL = 16 << 10
_PAUSE = 0.005
"""Seconds between looks at a pipe that brings little: one frame for many small writes."""
_HELD_GRACE = 0.25
"""Seconds for stragglers (`> >(tee log)`) once the process has ended."""


def widen_pipe(fd: int) -> None:
    """Enlarge a pipe's buffer, so that its ends take turns less often, if that is allowed."""
    with suppress(OSError):
        fcntl.fcntl(fd, _F_SETPIPE_SZ, PIPE_SIZE)


def unread(fd: int) -> int:
    """Return how many bytes a pipe holds now."""
    waiting = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, waiting)
    return waiting[0]


class Tail:
    """Keeps the last `size` bytes that were added."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring = bytearray()
        self._next = 0
        self._total = 0

    def put(self, data: bytes) -> None:
        """Add bytes; drop the oldest."""
        self._total += len(data)
        data = data[-self._size :] if self._size else b""
        room = self._size - len(self._ring)
        if room:
            self._ring += data[:room]
            data = data[room:]
        first = data[: self._size - self._next]
        self._ring[self._next : self._next + len(first)] = first
        rest = data[len(first) :]
        self._ring[: len(rest)] = rest
        if data:
            self._next = (self._next + len(data)) % self._size

    def forget(self) -> None:
        """Drop all, and keep nothing from now on."""
        self._size = self._next = 0
        self._ring = bytearray()

    @property
    def dropped(self) -> int:
        """Number of bytes that were dropped."""
        return self._total - len(self._ring)

    def read(self) -> bytes:
        """Return what is kept, in order."""
        return bytes(self._ring[self._next :] + self._ring[: self._next])


class Capture:
    """One pipe of one call: `emit` gets the first `head` bytes as they come, `tail` are kept."""

    def __init__(
        self,
        loop: EventLoop,
        channel: Channel,
        fd: int,
        *,
        head: int,
        tail: int,
        emit: Callable[[bytes], None],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._fd = fd
        self._emit = emit
        self._head_left = head
        self._tail = Tail(tail)
        self.eof = False
        """No process can write any more."""
        self._done: Callback | None = None
        self._finishing = False
        self.head_size = 0
        self.held = False
        self.rest = b""
        """Output that came last and was not emitted: it travels with the result."""
        os.set_blocking(fd, False)
        # Most commands end before the first look: all their output travels with their result.
        self._next_look = loop.call_later(_PAUSE, self._first_look)
        self._grace = self._next_look

    @property
    def dropped(self) -> int:
        """Bytes missing between head and tail."""
        return self._tail.dropped

    def tail(self) -> bytes:
        """Return what was kept after the head."""
        return self._tail.read()

    def tail_from(self, offset: int) -> tuple[int, bytes]:
        """Return what was kept from `offset` on, and where that really begins."""
        dropped = self._tail.dropped
        return max(offset, dropped), self._tail.read()[max(offset - dropped, 0) :]

    def forget(self) -> None:
        """Keep nothing: what was kept counts as dropped."""
        self._tail.forget()

    def read_now(self) -> None:
        """Read what the pipe holds at this moment."""
        if not self.eof:
            self._drain()

    def was_opened(self) -> bool:
        """Tell whether anybody ever opened the named pipe to write."""
        if self.eof or self.head_size:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if poll.poll(0):  # also a writer that has come and gone: POLLHUP
            return True
        self._read(1)
        return not self.eof

    def finish(self, done: Callback) -> None:
        """Read what the ended process wrote, wait shortly for stragglers, and call `done`."""
        self._finishing = True
        if not self.eof:
            self._drain()
        if self.eof:
            done()
            return
        self._done = done
        self._next_look.cancel()
        self._loop.add_reader(self._fd, self._readable)
        self._grace = self._loop.call_later(_HELD_GRACE, self._give_up)

    def _first_look(self) -> None:
        if not self.eof:
            widen_pipe(self._fd)
        self._watch()

    def _watch(self) -> None:
        if not self.eof:
            self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        if self._channel.congested and self._head_left:
            self._loop.remove_reader(self._fd)
            self._channel.when_drained(self._watch)
            return
        size = self._read(CHUNK)
        if not self.eof and size < _SMALL:
            self._loop.remove_reader(self._fd)
            self._next_look = self._loop.call_later(_PAUSE, self._watch)

    def _read(self, size: int) -> int:
        """Read once, return how much came; notice when nobody can write any more."""
        try:
            data = os.read(self._fd, size)
        except BlockingIOError:
            return 0
        if not data:
            self._close()
        elif not self.held:
            self._take(data)
        return len(data)

    def _take(self, data: bytes) -> None:
        head, tail = data[: self._head_left], data[self._head_left :]
        self._head_left -= len(head)
        self.head_size += len(head)
        if tail:
            self._tail.put(tail)
        if self._finishing and len(self.rest) + len(head) <= CHUNK:
            self.rest += head
        elif head:
            if self.rest:
                self._emit(self.rest)
                self.rest = b""
            self._emit(head)

    def _drain(self) -> None:
        """Read what is in the pipe now, not what a background process writes later."""
        left = unread(self._fd)
        while left > 0:
            size = self._read(min(left, CHUNK))
            if not size:
                break
            left -= size
        if not self.eof:
            self._read(1)

    def _give_up(self) -> None:
        self.held = True
        done, self._done = self._done, None
        if done is not None:
            done()

    def _close(self) -> None:
        self.eof = True
        self._next_look.cancel()
        self._grace.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        done, self._done = self._done, None
        if done is not None:
            done()
