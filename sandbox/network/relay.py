"""A tunnel: copies bytes between two sockets, both ways, as fast as the slower one takes them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sandbox.network.trace import Trace

CHUNK = 128 << 10
"""Bytes copied at a time; what a direction of a tunnel holds in memory."""


async def tunnel(
    client: socket.socket,
    host: socket.socket,
    first: Callable[[], Awaitable[bytes]],
    trace: Trace,
) -> None:
    """Copy both ways until both have ended, or one breaks off.

    `first` reads the client's first bytes; raises what it raises.
    """

    async def up() -> None:
        data = await first()
        await asyncio.get_running_loop().sock_sendall(host, data)
        trace.up(len(data))
        await _copy(client, host, trace.up)

    directions = [asyncio.create_task(up()), asyncio.create_task(_copy(host, client, trace.down))]
    try:
        with suppress(OSError):
            await asyncio.gather(*directions)
    finally:
        for task in directions:
            task.cancel()
        await asyncio.gather(*directions, return_exceptions=True)


async def _copy(source: socket.socket, sink: socket.socket, count: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    view = memoryview(bytearray(CHUNK))
    while size := await loop.sock_recv_into(source, view):
        await loop.sock_sendall(sink, view[:size])
        count(size)
        await asyncio.sleep(0)  # sockets that are always ready would never let others run
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
