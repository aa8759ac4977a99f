"""A company's proxy: carries requests in the clear, and opens tunnels, to one server of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.fakes.listening import listening


@dataclass
class ForwardProxy:
    """What it was asked for, by the heads of the requests; everything goes to one local port."""

    port_behind: int
    refuses: str = ""
    """A status with which it refuses everything."""
    heads: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        if self.refuses:
            writer.write(f"HTTP/1.1 {self.refuses}\r\ncontent-length: 0\r\n\r\n".encode())
        else:
            behind, to_behind = await asyncio.open_connection("127.0.0.1", self.port_behind)
            if head.startswith(b"CONNECT "):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                to_behind.write(_in_the_clear(head))
            await asyncio.gather(_pump(reader, to_behind), _pump(behind, writer))


@asynccontextmanager
async def forward_proxy(port_behind: int, refuses: str = "") -> AsyncIterator[ForwardProxy]:
    """Serve until the block ends."""
    proxy = ForwardProxy(port_behind, refuses)
    async with listening(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy


def _in_the_clear(head: bytes) -> bytes:
    """The request as the server behind reads it: a path instead of a URL."""
    method, url, rest = head.split(b" ", 2)
    path = b"/" + url.split(b"/", 3)[3]
    return b" ".join((method, path, rest))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
