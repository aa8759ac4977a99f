"""Attaches to a container's stdin and stdout over the engine's unix socket, with asyncio.

Docker Engine API, "Attach to a container": the connection is upgraded, then output comes in
frames `[stream, 0, 0, 0, length >I]` that are not message boundaries.
"""

from __future__ import annotations

import asyncio
import struct

from sandbox.client.stream import RunnerStream
from sandbox.docker.engine import answers
from sandbox.protocol import SandboxUnavailable

_HEADER = struct.Struct(">B3xI")
_STDERR = 2
_STDERR_KEPT = 4000


class Attachment(asyncio.Protocol):
    """The engine's stream: stdout goes to the runner stream, stderr is kept for the exit reason."""

    def __init__(self, stream: RunnerStream, socket_path: str) -> None:
        self._stream = stream
        self._socket_path = socket_path
        self._response = b""
        self._upgraded = False
        self._header = b""
        self._kind = 0
        self._left = 0
        self.stderr = b""
        self.attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Read bytes from the engine."""
        if not self._upgraded:
            data = self._take_response(data)
        view = memoryview(data)
        while view:
            if not self._left:
                view = self._take_header(view)
                continue
            part, view = view[: self._left], view[self._left :]
            self._left -= len(part)
            if self._kind == _STDERR:
                self.stderr = (self.stderr + bytes(part))[-_STDERR_KEPT:]
            else:
                self._stream.feed(part)

    def _take_header(self, view: memoryview) -> memoryview:
        missing = _HEADER.size - len(self._header)
        self._header += bytes(view[:missing])
        if len(self._header) == _HEADER.size:
            self._kind, self._left = _HEADER.unpack(self._header)
            self._header = b""
        return view[missing:]

    def _take_response(self, data: bytes) -> bytes:
        """Read the HTTP answer up to its empty line; return what follows."""
        self._response += data
        head, end, rest = self._response.partition(b"\r\n\r\n")
        if not end:
            return b""
        self._upgraded = True
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if status.split(" ")[1] not in {"101", "200"}:
            message = f"The engine refused to attach: {status} {rest.decode('utf-8', 'replace')}"
            self.attached.set_exception(SandboxUnavailable(message.strip()))
            return b""
        self.attached.set_result(None)
        return rest

    def pause_writing(self) -> None:
        """Called when the socket's buffer is full."""
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        """Called when the socket's buffer has room again."""
        self._stream.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Called when the container or the engine has ended."""
        if not self.attached.done():
            self.attached.set_exception(SandboxUnavailable("The engine hung up while attaching."))
        if not self.closed.done():
            self.closed.set_result(None)
        words = self.stderr.decode("utf-8", "replace").strip()
        if not words:
            alive = answers(self._socket_path)
            words = "its process ended or was killed" if alive else "the Docker engine ended"
        self._stream.end(words)


async def attach(socket_path: str, container_id: str, stream: RunnerStream) -> Attachment:
    """Attach before the container starts. Raises `SandboxUnavailable`."""
    loop = asyncio.get_running_loop()
    transport, attachment = await loop.create_unix_connection(
        lambda: Attachment(stream, socket_path), socket_path
    )
    transport.write(
        f"POST /containers/{container_id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode()
    )
    await attachment.attached
    stream.connect(transport)
    return attachment
