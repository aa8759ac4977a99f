"""Starts sandboxes ahead of their use, so that the first command need not wait for a start."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sandbox.protocol import Sandbox, SandboxBackend, SandboxError, SandboxLost, SandboxSpec


class SandboxPool:
    """A backend in front of another: `prefetch` what will be wanted, then `start` as ever."""

    def __init__(self, backend: SandboxBackend) -> None:
        self.name = backend.name
        self._backend = backend
        self._ready: list[tuple[SandboxSpec, asyncio.Task[Sandbox]]] = []

    def prefetch(self, spec: SandboxSpec) -> None:
        """Begin to start a sandbox that a later `start(spec)` will get."""
        self._ready.append((spec, asyncio.create_task(self._backend.start(spec))))

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """Return a prefetched sandbox that still lives, else start one."""
        while (starting := self._take(spec)) is not None:
            sandbox = await starting
            with suppress(SandboxLost):
                await sandbox.ping()
                return sandbox
            await sandbox.close()  # what is left of it
        return await self._backend.start(spec)

    async def close(self) -> None:
        """End the sandboxes that nobody took."""
        ready, self._ready = self._ready, []
        for sandbox in await asyncio.gather(*(one for _, one in ready), return_exceptions=True):
            if not isinstance(sandbox, BaseException):
                with suppress(SandboxError):
                    await sandbox.close()

    def _take(self, spec: SandboxSpec) -> asyncio.Task[Sandbox] | None:
        for index, (wanted, starting) in enumerate(self._ready):
            if wanted == spec:
                del self._ready[index]
                return starting
        return None
