"""The part of the sandbox protocol that is about ports inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

OnPort = Callable[[int, int], None]
"""Called in the event loop with a job and the port that it is first seen to listen on."""


class PortConnection(Protocol):
    """A connection to a port inside. One task may read while another writes."""

    async def read(self) -> bytes:
        """Return what has come, waiting for it; nothing at its end.

        Raises `ConnectionError` when it was broken off, also with the sandbox.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Write, waiting while the port does not take it. Raises `ConnectionError`."""
        ...

    def end(self) -> None:
        """Say that nothing more is written."""
        ...

    def close(self) -> None:
        """Close it. May be called twice."""
        ...


class Ports(Protocol):
    """The ports inside a sandbox."""

    def watch_ports(self, watcher: OnPort | None) -> None:
        """Report every port that a job is seen to listen on from now on."""
        ...

    async def connect(self, port: int) -> PortConnection:
        """Connect to a TCP port inside, over the sandbox's stream: no network is opened.

        Raises `ConnectionRefusedError` when nothing accepts there, or too many are open.
        """
        ...
