"""The client's side of connections to ports inside a sandbox."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from sandbox.client.results import text_or_none, whole
from sandbox.client.stream import RunnerStream
from sandbox.runner.connections import WINDOW
from sandbox.runner.frames import FrameError, Head

_CHUNK = 64 << 10
_BROKEN = "The connection to the port was broken."


class ConnectionTable:
    """The open connections of one sandbox."""

    def __init__(self, stream: RunnerStream) -> None:
        self._stream = stream
        self._open: dict[int, RunnerConnection] = {}
        self._numbers = itertools.count(1)
        stream.on_connection = self._on_frame
        stream.on_lost.append(self._break_all)

    async def connect(self, port: int) -> RunnerConnection:
        """Connect. Raises `ConnectionRefusedError`."""
        number = next(self._numbers)
        connection = self._open[number] = RunnerConnection(self._stream, number, self._forget)
        try:
            reply = await self._stream.call({"op": "connect", "conn": number, "port": port})
            with self._stream.understood():
                error = text_or_none(reply.head, "error")
            if error is not None:
                raise ConnectionRefusedError(f"Port {port}: {error}.")
        except BaseException:
            connection.close()
            raise
        return connection

    def _forget(self, number: int) -> None:
        self._open.pop(number, None)

    def _on_frame(self, head: Head, body: bytes) -> bool:
        """Take a frame of a connection; return whether there is one."""
        connection = self._open.get(head["conn"])
        if connection is None:
            return False
        connection.on_frame(head, body)
        return True

    def _break_all(self) -> None:
        for connection in list(self._open.values()):
            connection.break_off()


class RunnerConnection:
    """A connection to a port (a `sandbox.ports.PortConnection`)."""

    def __init__(self, stream: RunnerStream, number: int, forget: Callable[[int], None]) -> None:
        self._stream = stream
        self._number = number
        self._forget = forget
        self._received = bytearray()
        self._expected = WINDOW
        """Bytes that the runner may still send."""
        self._room = WINDOW
        """Bytes that the runner still takes."""
        self._is_ended = self._is_broken = self._is_closed = False
        self._changed = asyncio.Event()

    def on_frame(self, head: Head, body: bytes) -> None:
        """Take a frame of the runner. Raises `FrameError`."""
        match head["ev"]:
            case "conn_data":
                if not 0 < len(body) <= self._expected or self._is_ended:
                    raise FrameError("it sends more of a connection than was asked for")
                self._expected -= len(body)
                self._received += body
            case "conn_more":
                self._room += whole(head, "bytes")
                if self._room > WINDOW:
                    raise FrameError("it took more of a connection than was sent")
            case "conn_end":
                self._is_ended = True
            case "conn_close":
                self._is_broken = True
            case _:
                raise FrameError("it sends an unknown frame of a connection")
        self._changed.set()

    def break_off(self) -> None:
        """Let who reads or writes know that it is gone."""
        self._is_broken = True
        self._changed.set()

    async def read(self) -> bytes:
        """Return what has come, waiting for it; nothing at its end. Raises `ConnectionError`."""
        while not self._received:
            if self._is_broken:
                raise ConnectionResetError(_BROKEN)
            if self._is_ended:
                return b""
            await self._wait()
        data = bytes(self._received)
        self._received.clear()
        if not self._is_ended and not self._is_broken:
            self._expected += len(data)
            self._stream.write({"op": "conn_more", "conn": self._number, "bytes": len(data)})
        return data

    async def write(self, data: bytes) -> None:
        """Write, waiting while the port does not take it. Raises `ConnectionError`."""
        view = memoryview(data)
        while view:
            while not self._room and not self._is_broken:
                await self._wait()
            if self._is_broken:
                raise ConnectionResetError(_BROKEN)
            part = view[: min(self._room, _CHUNK)]
            view = view[len(part) :]
            self._room -= len(part)
            self._stream.write({"op": "conn_data", "conn": self._number}, part)

    def end(self) -> None:
        """Say that nothing more is written. Raises `SandboxLost`."""
        if not self._is_broken:
            self._stream.write({"op": "conn_end", "conn": self._number})

    def close(self) -> None:
        """Close it; may be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._forget(self._number)
        if not self._is_broken and self._stream.lost is None:
            self._stream.write({"op": "conn_close", "conn": self._number})

    async def _wait(self) -> None:
        """Wait for a frame. One task reads and another writes: both are woken."""
        self._changed.clear()
        await self._changed.wait()
