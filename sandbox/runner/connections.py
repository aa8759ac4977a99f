"""The client's connections to ports inside, over the client's stream.

Neither side sends more of a connection than the other has room for: a port that floods waits by
itself, and the stream stays free for everything else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from .channel import READ_SIZE, Channel
from .frames import Head
from .loop import Callback, EventLoop, Timer

WINDOW = 128 << 10
"""Bytes of a connection that are under way in one direction at most."""
MOST = 64
"""Connections at a time."""
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_TIMEOUT = 5.0
"""Seconds that a port may take to accept."""


class PortConnections:
    """Connects to ports, and carries bytes both ways."""

    def __init__(self, loop: EventLoop, channel: Channel) -> None:
        self._loop = loop
        self._channel = channel
        self._open: dict[int, _Connection] = {}
        self._connecting: dict[int, _Attempt] = {}

    def connect(self, head: Head) -> None:
        """Connect to a port; the answer says when nothing accepts there."""
        number = head["conn"]

        def connected(found: socket.socket | None) -> None:
            self._connecting.pop(number, None)
            if found is not None:
                self._open[number] = _Connection(
                    self._loop, self._channel, found, number, lambda: self._forget(number)
                )
            self._answer(head, None if found else "nothing accepts connections there")

        if len(self._open) + len(self._connecting) >= MOST:
            self._answer(head, f"{MOST} connections are open")
            return
        attempt = self._connecting[number] = _Attempt(self._loop, head["port"], connected)
        attempt.next()

    def _answer(self, head: Head, error: str | None) -> None:
        self._channel.send({"id": head["id"], "ev": "result", "error": error})

    def _forget(self, number: int) -> None:
        self._open.pop(number, None)

    def on_frame(self, head: Head, body: bytes) -> None:
        """Take what the client sends of a connection; nothing of one that is closed."""
        operation, number = head["op"], head["conn"]
        connection = self._open.get(number)
        if connection is None:
            if operation == "conn_close" and (attempt := self._connecting.pop(number, None)):
                attempt.give_up()
        elif operation == "conn_data":
            connection.write(body)
        elif operation == "conn_more":
            connection.give(head["bytes"])
        elif operation == "conn_end":
            connection.end()
        else:
            connection.close()


class _Attempt:
    """Tries the addresses of the sandbox itself, one after another."""

    def __init__(
        self, loop: EventLoop, port: int, then: Callable[[socket.socket | None], None]
    ) -> None:
        self._loop = loop
        self._port = port
        self._then = then
        self._left = list(_ADDRESSES)
        self._timer: Timer | None = None
        self._socket: socket.socket | None = None

    def next(self) -> None:
        """Try the next address; at the end say that nothing accepts."""
        self.give_up()
        while self._left:
            family, address = self._left.pop(0)
            with suppress(OSError):  # a sandbox may have no IPv6
                self._try(family, address)
                return
        self._then(None)

    def _try(self, family: socket.AddressFamily, address: str) -> None:
        one = self._socket = socket.socket(family, socket.SOCK_STREAM)
        one.setblocking(False)
        try:
            one.connect((address, self._port))
        except BlockingIOError:
            self._loop.add_writer(one.fileno(), self._decide)
            self._timer = self._loop.call_later(_TIMEOUT, self.next)
            return
        except OSError:
            self.give_up()
            raise
        self._succeed()

    def _decide(self) -> None:
        assert self._socket is not None
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.next()
        else:
            self._succeed()

    def _succeed(self) -> None:
        found, self._socket = self._socket, None
        assert found is not None
        self._stop(found)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._then(found)

    def give_up(self) -> None:
        """Close what has not connected."""
        if self._socket is not None:
            self._stop(self._socket)
            self._socket.close()
            self._socket = None

    def _stop(self, one: socket.socket) -> None:
        self._loop.remove_writer(one.fileno())
        if self._timer is not None:
            self._timer.cancel()


class _Connection:
    """An open connection."""

    def __init__(
        self,
        loop: EventLoop,
        channel: Channel,
        connected: socket.socket,
        number: int,
        on_close: Callback,
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._socket = connected
        self._fd = connected.fileno()
        self._number = number
        self._on_close = on_close
        self._room = WINDOW
        """Bytes that the client still takes."""
        self._unsent = bytearray()
        self._written = 0
        """Bytes that the port has taken, and of which the client does not know yet."""
        self._is_open = self._reads = True
        self._is_ended = False
        """Whether the client has sent everything."""
        loop.add_reader(self._fd, self._readable)

    def _send(self, event: str, body: bytes = b"", **more: int) -> None:
        self._channel.send({"ev": event, "conn": self._number, **more}, body)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(min(READ_SIZE, self._room))
        except BlockingIOError:
            return
        except OSError:
            self._break()
            return
        if data:
            self._room -= len(data)
            self._send("conn_data", data)
            self._pause()
            return
        self._reads = False
        self._loop.remove_reader(self._fd)
        self._send("conn_end")
        self._close_if_over()

    def _pause(self) -> None:
        """Read no further while the client has no room, or the stream is full."""
        if self._room == 0:
            self._loop.remove_reader(self._fd)
        elif self._channel.congested:
            self._loop.remove_reader(self._fd)
            self._channel.when_drained(self._resume)

    def _resume(self) -> None:
        if self._is_open and self._reads and self._room:
            self._loop.add_reader(self._fd, self._readable)

    def give(self, size: int) -> None:
        """Let the client have more bytes."""
        self._room += size
        self._resume()

    def write(self, data: bytes) -> None:
        """Write what the client sent, as fast as the port takes it."""
        self._unsent += data
        self._flush()

    def end(self) -> None:
        """End the client's side once all of it is written."""
        self._is_ended = True
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                size = self._socket.send(self._unsent)
                del self._unsent[:size]
                self._written += size
        except BlockingIOError:
            self._loop.add_writer(self._fd, self._flush)
        except OSError:
            self._break()
            return
        if not self._unsent:
            self._loop.remove_writer(self._fd)
        if self._written and (not self._unsent or self._written >= WINDOW // 4):
            self._send("conn_more", bytes=self._written)
            self._written = 0
        if self._is_ended and not self._unsent:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self._close_if_over()

    def _close_if_over(self) -> None:
        if self._is_ended and not self._unsent and not self._reads:
            self.close()

    def _break(self) -> None:
        self.close()
        self._send("conn_close")

    def close(self) -> None:
        """Close it."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._socket.close()
        self._on_close()
