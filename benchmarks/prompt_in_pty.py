"""A program in a pty whose keys are timed, and a server that streams to it."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pexpect

from tests.fakes.http_server import STREAM_HEAD, chunked

ROOT = Path(__file__).parents[1]
TOKENS_A_SECOND = 200
PATIENCE = 60.0
_ALL_THREADS = 2
"""Of a process, in the number of its clock (`clock_getcpuclockid(3)`)."""


class Server:
    """Streams an answer to every chat until the client leaves."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[float] = []
        """When each chat came."""
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        while request := connection.recv(1 << 20):
            if request.startswith(b"POST /v1/chat"):
                self.asked.append(time.monotonic())
                self._chat(connection)
                return
            body = b'{"data":[{"id":"m","max_model_len":1000000000}]}'
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)

    def _chat(self, connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD)
        due = time.monotonic()
        event = chunked(b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n')
        try:
            while True:
                connection.sendall(event)
                due += 1 / TOKENS_A_SECOND
                while select.select([connection], [], [], max(0.0, due - time.monotonic()))[0]:
                    if not connection.recv(1 << 20):
                        return
        except OSError:
            return


@dataclass(frozen=True)
class Prompt:
    """A program in a pty."""

    child: pexpect.spawn[bytes]
    begun: float

    def send(self, keys: str) -> None:
        os.write(self.child.child_fd, keys.encode())

    def seen(self, text: str) -> float:
        """Wait until a text is written; return the moment."""
        shown, wanted = b"", text.encode()
        deadline = time.monotonic() + PATIENCE
        while wanted not in shown:
            left = max(0.0, deadline - time.monotonic())
            piece = b""
            if select.select([self.child.child_fd], [], [], left)[0]:
                with suppress(OSError):  # the program has ended
                    piece = os.read(self.child.child_fd, 1 << 16)
            if not piece:
                raise SystemExit(f"{text!r} is not shown: {shown[-2000:].decode(errors='replace')}")
            shown += piece
        return time.monotonic()

    def drain(self, seconds: float) -> None:
        """Take what is written for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.child.child_fd], [], [], left)[0]:
                os.read(self.child.child_fd, 1 << 16)

    def key(self, letter: str) -> tuple[float, float]:
        """Type a letter; return the seconds until it is on the screen, and the CPU time of them."""
        before, typed = self.cpu(), time.monotonic()
        self.send(letter)
        seconds = self.seen(letter) - typed
        return seconds, self.cpu() - before

    def cpu(self) -> float:
        """CPU seconds of all threads of the process so far."""
        assert self.child.pid is not None
        return time.clock_gettime((~self.child.pid << 3) | _ALL_THREADS)


@contextmanager
def prompt(argv: list[str], folder: Path, **env: str) -> Iterator[Prompt]:
    """Start a program in a pty, in a folder's workspace."""
    (folder / "work").mkdir(exist_ok=True)
    begun = time.monotonic()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        argv[0],
        argv[1:],
        cwd=str(folder / "work"),
        env=environment(folder, env),
        dimensions=(40, 120),
    )
    child.delaybeforesend = None
    try:
        yield Prompt(child, begun)
    finally:
        child.close(force=True)


def environment(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that uses nothing of this machine's user."""
    # An installed program has its bytecode, so the first start may write it.
    left_out = ("SII_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    own = {
        "HOME": str(folder),
        "SII_HOME": f"{folder}/home",
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
    }
    return kept | own | dict(env)
