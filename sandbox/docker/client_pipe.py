"""A named pipe that ends with the client: a sandbox that sees its end exits.

The attached stream ends too, but not always: when the engine is killed, its shim keeps the
runner's pipes open, and the runner would run on. Nothing is ever written to this pipe.
"""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.network.folder import SocketFolder

NAME = "pipe"


class ClientPipe:
    """The pipe of one sandbox; the client holds the writing end."""

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

    def remove_name(self) -> None:
        """Remove the pipe's name once the runner has opened it, so that no command can open it."""
        self._folder.close()

    def cut(self) -> None:
        """Close the client's end, so that the sandbox exits. May be called twice."""
        self._folder.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
