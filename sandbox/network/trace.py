"""The trace of one request through the proxy, for the recording and for the idle timeout."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from sandbox.network.target import RequestTarget
from sandbox.protocol import NetworkUse


@dataclass(slots=True)
class Trace:
    """What is known of one request while it is served."""

    method: str = ""
    target: RequestTarget | None = None
    allowed: bool = False
    reason: str = ""
    address: str | None = None
    status: int | None = None
    sent: int = 0
    """Bytes from the client to the host."""
    received: int = 0
    begin: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    """When bytes last passed."""
    end: float | None = None
    """When the client had its answer, where it was waited for after that."""

    def up(self, size: int) -> None:
        """Count bytes that went to the host."""
        self.sent += size
        self.last = time.monotonic()

    def down(self, size: int) -> None:
        """Count bytes that came from the host."""
        self.received += size
        self.last = time.monotonic()

    async def idle(self, seconds: float) -> None:
        """Return when no byte has passed for so many seconds."""
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self.last + seconds - time.monotonic()

    def result(self) -> NetworkUse | None:
        """Return what is recorded of the request, or None when nothing was requested."""
        if not self.method and not self.reason:
            return None
        return NetworkUse(
            host=self.target.host if self.target else "",
            port=self.target.port if self.target else 0,
            method=self.method,
            allowed=self.allowed,
            reason=self.reason,
            address=self.address,
            status=self.status,
            sent=self.sent,
            received=self.received,
            seconds=round((self.end or time.monotonic()) - self.begin, 6),
        )
