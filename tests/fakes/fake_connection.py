"""A connection to a port of the host, as a sandbox has them to its own."""

from __future__ import annotations

import asyncio


class FakeConnection:
    """A `PortConnection` over a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """Return what has come."""
        return await self._reader.read(1 << 16)

    async def write(self, data: bytes) -> None:
        """Write."""
        self._writer.write(data)
        await self._writer.drain()

    def end(self) -> None:
        """End the writing half."""
        self._writer.write_eof()

    def close(self) -> None:
        """Close it."""
        self._writer.close()
