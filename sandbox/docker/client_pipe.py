"""A named pipe that a sandbox reads the end of: when its client dies or lets go, it ends itself.

The attached stream says so too, but not always: when the engine is killed, its shim holds the
runner's pipes open, and the runner would live on unseen. Nothing is ever written to this pipe.
"""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.network.folder import SocketFolder

NAME = "pipe"


class ClientPipe:
    """One sandbox's; we hold the writing end."""

    def __init__(self) -> None:
        """Raises `OSError`."""
        self._folder = SocketFolder("client-pipe")
        path = self._folder.shared / NAME
        os.mkfifo(path)
        path.chmod(0o644)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def folder(self) -> Path:
        """What to mount, read-only."""
        return self._folder.shared

    def taken(self) -> None:
        """The runner holds its end: take the name away, so that no command can hold ours."""
        self._folder.close()

    def cut(self) -> None:
        """Let the sandbox end. May be called twice."""
        self._folder.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
