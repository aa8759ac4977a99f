"""A proxy with a client that speaks to it byte by byte, a host behind it, and a name server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sandbox.network.allowed_hosts import AllowedHosts
from sandbox.network.exchange import Timeouts
from sandbox.network.folder import SOCKET
from sandbox.network.hosts import AllowList
from sandbox.network.log import NetworkLog
from sandbox.network.proxy import AllowListProxy
from sandbox.network.resolve import ResolvePolicy
from sandbox.protocol import NetworkUse

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TIMEOUTS = Timeouts(head=20, idle=20)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Host:
    """A server on this machine: what it read, and what it answers."""

    answer: bytes = OK
    port: int = 0
    read: list[bytes] = field(default_factory=list)
    serve: Serve | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.serve is not None:
            await self.serve(reader, writer)
            return
        self.read.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        writer.write_eof()
        self.read[-1] += await reader.read()
        writer.close()


@dataclass
class Names:
    """A name server: every name has the next of these addresses."""

    answers: list[list[str]] = field(default_factory=lambda: [["127.0.0.1"]])
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


class Client:
    """Speaks to a proxy as a program inside would, byte by byte."""

    def __init__(self, proxy: AllowListProxy, port: int, uses: list[NetworkUse]) -> None:
        self.proxy = proxy
        self.port = port
        self.uses = uses

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.proxy.folder / SOCKET))

    async def say(self, text: str | bytes) -> bytes:
        """Send bytes (`PORT` in a text is the host's port); return all that is answered."""
        raw = text if isinstance(text, bytes) else text.replace("PORT", str(self.port)).encode()
        reader, writer = await self.open()
        writer.write(raw)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer

    async def use(self, count: int = 1) -> NetworkUse:
        """The last of so many requests, as it was told."""
        async with asyncio.timeout(30):
            while len(self.uses) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.uses[-1]


@asynccontextmanager
async def proxied(
    host: Host,
    names: Names | None = None,
    *,
    may_reach: Callable[[str], bool] = lambda address: address == "127.0.0.1",
    timeouts: Timeouts = TIMEOUTS,
    connections: int = 64,
) -> AsyncIterator[Client]:
    """A proxy that allows `a.test` and `*.b.test` at the port of a host."""
    server = await asyncio.start_server(host, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    hosts = AllowList([f"a.test:{host.port}", f"*.b.test:{host.port}", f"127.0.0.1:{host.port}"])
    uses: list[NetworkUse] = []
    log = NetworkLog()
    log.watch(uses.append)
    allowed = AllowedHosts(hosts, ResolvePolicy(names or Names(), may_reach))
    proxy = AllowListProxy(allowed, log, timeouts=timeouts, connections=connections)
    try:
        yield Client(proxy, host.port, uses)
    finally:
        await proxy.close()
        server.close()


def get(host: str = "a.test", *headers: str, path: str = "/x?y") -> str:
    """A request by GET; `PORT` in it is the host's."""
    lines = (f"GET http://{host}:PORT{path} HTTP/1.1", f"Host: {host}", *headers)
    return "\r\n".join(lines) + "\r\n\r\n"
