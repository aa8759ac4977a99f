"""Shows a port inside the sandbox to the human: a server on a loopback port of this machine."""

from __future__ import annotations

import asyncio

from sii_cli.web.exchange import Connect, PreviewExchange
from sii_cli.web.preview_access import PreviewAccess

MOST = 32
"""Connections at a time; a browser opens six."""
_SECONDS = 2.0
"""How long closing waits for connections that end."""


class PreviewServer:
    """Serves one port. Made by `start`."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._access = PreviewAccess()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._carried = 0
        """Connections that are served, not refused."""

    @classmethod
    async def start(cls, connect: Connect) -> PreviewServer:
        """Listen on a loopback port; `connect` connects to the port inside. Raises `OSError`."""
        preview = cls(connect)
        server = await asyncio.start_server(preview._accept, "127.0.0.1", 0)
        preview._server = server
        preview._access.serve_at(server.sockets[0].getsockname()[1])
        return preview

    def new_link(self) -> str:
        """Return a link that one browser can use once."""
        return self._access.new_link()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = PreviewExchange(reader, writer, self._access, self._connect)
        is_free = self._carried < MOST
        self._carried += is_free
        try:
            if is_free:
                await exchange.run()
            else:
                await exchange.refuse(503, f"The preview has {MOST} connections already.")
        finally:
            self._carried -= is_free
            writer.close()

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(set(self._serving), timeout=_SECONDS)
