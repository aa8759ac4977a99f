"""The load of a batch's model servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sii_cli.model.endpoints import Load, read_load
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused
from sii_cli.model.server import Server

TIMEOUT = 5.0
"""Seconds that a server has to answer."""


class ModelServers:
    """Asks every server whether it answers and how busy it is."""

    def __init__(self, base_urls: Sequence[str], api_key: str | None) -> None:
        self._servers = [Server(url, api_key) for url in base_urls]

    async def current_load(self) -> Load | None:
        """Return the load of those that answer, added up; None when no server answers."""
        loads = await asyncio.gather(*(_load(server) for server in self._servers))
        found = [load for load in loads if load is not None]
        if not found:
            return None
        return Load(
            running=sum(load.running for load in found),
            waiting=sum(load.waiting for load in found),
            cache=max(load.cache for load in found),
            preemptions=sum(load.preemptions for load in found),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        for server in self._servers:
            await server.aclose()


async def _load(server: Server) -> Load | None:
    try:
        async with asyncio.timeout(TIMEOUT):
            await server.models()
            return read_load(await server.metrics())
    except ModelCallRefused:
        return Load()  # it answers, though with an error
    except (ModelCallFailed, TimeoutError):
        return None
