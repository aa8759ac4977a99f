"""The part of the sandbox protocol that is about ports inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

OnPort = Callable[[int, int], None]
"""Called in the event loop with a job and the port that it is first seen to listen on."""


class Ports(Protocol):
    """The ports inside a sandbox."""

    def watch_ports(self, watcher: OnPort | None) -> None:
        """Report every port that a job is seen to listen on from now on."""
        ...
