"""A model server that can be killed, and started again where it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class KilledServer:
    """A model server for batches in a process of its own; comes back where it was."""

    def __init__(self, faults: float, slow: float) -> None:
        """`faults`: share of the requests that go wrong; `slow`: seconds a token."""
        self._options = ("--faults", str(faults), "--slow", str(slow))
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it, again where it was; return its base URL."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.fakes.batch_server",
                *self._options,
                "--port",
                str(self._port),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        self._port = int(url.split(":")[2].split("/")[0])
        return url

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


@contextmanager
def served(*, faults: float, slow: float) -> Iterator[tuple[KilledServer, str]]:
    """Serve until the block ends; yield the server and its base URL."""
    server = KilledServer(faults, slow)
    url = server.start()
    try:
        yield server, url
    finally:
        server.kill()
