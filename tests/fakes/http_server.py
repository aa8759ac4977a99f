"""A small HTTP/1.1 server for fakes: keep-alive, answers in chunks, clients that leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
READ_AHEAD = 8 << 20
"""Bytes of a long body that are taken as they come, without stopping the client in between."""


class HttpServer:
    """HTTP/1.1 with keep-alive over asyncio streams; `answer` is what a subclass adds."""

    def __init__(self) -> None:
        self.port = 0
        self.disconnects: list[float] = []
        """When clients left in the middle of an answer, as `time.monotonic`."""
        self.connections = 0
        """How many were opened."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        """Listen; on the port of before when there was one."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=READ_AHEAD
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and drop every connection."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Any:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def answer(
        self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                path, headers = _head(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self.respond(reader, self.answer(path, headers, body, writer))
        self._writers.discard(writer)
        writer.close()

    async def respond(self, reader: asyncio.StreamReader, answering: Awaitable[None]) -> None:
        """Answer until done, or until the client leaves."""
        answer = asyncio.ensure_future(answering)
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.disconnects.append(time.monotonic())
            answer.cancel()
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        with suppress(asyncio.CancelledError):
            await answer


def write(writer: asyncio.StreamWriter, status: int, body: bytes, *headers: str) -> None:
    """Write a whole answer."""
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def chunked(data: bytes) -> bytes:
    """One piece of a body in chunks."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(raw: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if line)
    return first.split(" ")[1], {name.lower(): value.strip() for name, value in pairs}
