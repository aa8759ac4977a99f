"""What a sandbox asked of the network, handed on to whoever records it, sooner or later."""

from __future__ import annotations

from collections import deque

from sandbox.protocol import NetworkUse, OnNetworkUse

_KEPT = 1000
"""Requests that are kept while nobody watches: set-up commands run before a recording begins."""


class NetworkLog:
    """Tells a watcher of every request; what came while there was none is told to the next."""

    def __init__(self) -> None:
        self._watcher: OnNetworkUse | None = None
        self._untold: deque[NetworkUse] = deque(maxlen=_KEPT)

    def watch(self, watcher: OnNetworkUse | None) -> None:
        """Tell this watcher from now on, and of what was not told yet."""
        self._watcher = watcher
        while watcher is not None and self._untold:
            watcher(self._untold.popleft())

    def add(self, use: NetworkUse) -> None:
        """A request is over."""
        if self._watcher is None:
            self._untold.append(use)
        else:
            self._watcher(use)
