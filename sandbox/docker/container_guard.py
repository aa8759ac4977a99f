"""A small process that outlives a killed client and removes the containers it was making.

A container that runs ends by itself when its client dies. One that was made and not started has
nothing inside that could notice; this process receives its name before it is made. The process
ends with its client, and removes what is left of it then: also its folders.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_WAITS = 10.0
"""Seconds after the client's death in which a container that it asked for may still appear."""
_EVERY = 0.1
_ENDS_WITHIN = 1.0
"""Seconds that a guard without work takes at most to end."""
_BOOT = """\
import sys
sys.path.append(sys.argv[1])
from sandbox.docker.container_guard import main
main(sys.argv[2])
"""


class ContainerGuard:
    """The client's end: it says which containers are being made."""

    def __init__(self, socket_path: str) -> None:
        """Start the process (blocking, some milliseconds). Raises `OSError`."""
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _BOOT, root, socket_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # what ends the client's group does not end this
            bufsize=0,
        )

    def watch(self, name: str) -> None:
        """Guard a container that is about to be made under this name."""
        self._tell(f"+{name}\n")

    def release(self, name: str) -> None:
        """Stop guarding a container: it runs, or could not be made."""
        self._tell(f"-{name}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # somebody killed it: the next start of `sii` removes what is left
            self._process.stdin.write(line.encode())

    def close(self) -> None:
        """End the guard process; wait for it unless it has containers to remove (blocking)."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN)


def main(socket_path: str) -> None:
    """Listen until the client is gone, then remove what it left."""
    names: set[str] = set()
    for line in sys.stdin:
        (names.add if line[0] == "+" else names.discard)(line[1:].strip())
    if not names:
        return
    until = time.monotonic() + _WAITS
    while names and time.monotonic() < until:
        names = {name for name in names if not _remove(socket_path, name)}
        time.sleep(_EVERY)
    from sandbox.own_folder import remove_leftover_folders

    remove_leftover_folders()


def _remove(socket_path: str, name: str) -> bool:
    """Remove a container; tell whether it was there. A killed engine may come back."""
    request = f"DELETE /containers/{name}?force=1&v=1 HTTP/1.0\r\nHost: docker\r\n\r\n"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(_WAITS)
        engine.connect(socket_path)
        engine.sendall(request.encode())
        return engine.recv(64).split(b" ")[1:2] == [b"204"]
    return False
