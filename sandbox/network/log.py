"""A sandbox's requests to the network: all for the recording, the refused ones for the model.

The recording is notified when a request is over, the model before the client.
"""

from __future__ import annotations

from collections import deque

from sandbox.protocol import NetworkUse, OnNetworkUse

_KEPT = 1000
"""Requests that are kept while nobody watches: set-up commands run before a recording begins."""
_REFUSALS = 3
"""The latest, that a command's result can name."""


class NetworkLog:
    """Reports every request to a watcher; requests without a watcher go to the next one."""

    def __init__(self) -> None:
        self._watcher: OnNetworkUse | None = None
        self._untold: deque[NetworkUse] = deque(maxlen=_KEPT)
        self._refusals: deque[str] = deque(maxlen=_REFUSALS)
        self.refused = 0
        """How many requests were refused so far, or failed for want of a network."""
        self.outages = 0
        """How many of them failed for want of a network on this machine."""

    def watch(self, watcher: OnNetworkUse | None) -> None:
        """Report to this watcher from now on, also what was not reported yet."""
        self._watcher = watcher
        while watcher is not None and self._untold:
            watcher(self._untold.popleft())

    def add(self, use: NetworkUse) -> None:
        """Report a request that has ended."""
        if self._watcher is None:
            self._untold.append(use)
        else:
            self._watcher(use)

    def refuse(self, sentence: str) -> None:
        """Keep the reason of a request that will be refused."""
        self.refused += 1
        self._refusals.append(sentence)

    def fail(self, sentence: str) -> None:
        """Keep the reason of a request that will fail: this machine has no network."""
        self.outages += 1
        self.refuse(sentence)

    def refused_since(self, count: int) -> tuple[str, ...]:
        """Return the latest refusals after the first `count`, each once."""
        latest = list(self._refusals)[-(self.refused - count) :] if self.refused > count else []
        return tuple(dict.fromkeys(latest))
