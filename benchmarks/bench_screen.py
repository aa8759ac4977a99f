"""What a human waits for: the first token on the screen, and Ctrl-C at the server.

    python -m benchmarks.bench_screen [--rounds 15]

`sii` runs in a real terminal (a pty) against a scripted server in this process. First token: from
the server's write to the moment the pty shows it. The floor is a Python that copies the same socket
to a pty. Ctrl-C: from the key to the moment the server sees the connection close.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import pexpect

from benchmarks.figures import figure
from tests.fakes.http_server import STREAM_HEAD, chunked

SII = [sys.executable, "-m", "sii_cli.main"]
COPY = (
    "import os, socket, sys\n"
    "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
    "s.sendall(b'POST /v1/chat/completions HTTP/1.1\\r\\ncontent-length: 0\\r\\n\\r\\n')\n"
    "while data := s.recv(65536): os.write(1, data)\n"
)
QUIET = 0.4
"""Seconds between a request and its first token, in which the screen comes to rest."""
PATIENCE = 20.0
ENTER, CTRL_C = "\r", "\x03"


class Server:
    """Answers every chat with one token after a while, then waits for the client to leave."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.written: list[float] = []
        self.left: list[float] = []
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        while request := connection.recv(1 << 20):
            if request.startswith(b"POST /v1/chat"):
                self._chat(connection)
                return
            body = b'{"data":[{"id":"m","max_model_len":100000}]}'
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)

    def _chat(self, connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD)
        time.sleep(QUIET)
        token = b"tok%d" % len(self.written)
        event = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % token
        self.written.append(time.monotonic())
        connection.sendall(chunked(event))
        while connection.recv(65536):
            pass
        self.left.append(time.monotonic())


def seen(child: pexpect.spawn[bytes], text: bytes) -> float:
    """Wait until the terminal shows a text; return the moment."""
    shown = b""
    deadline = time.monotonic() + PATIENCE
    while text not in shown:
        if not select.select([child.child_fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise SystemExit(f"{text!r} is not shown: {shown[-500:]!r}")
        shown += os.read(child.child_fd, 1 << 16)
    return time.monotonic()


def wait_for(moments: list[float], count: int) -> float:
    """Wait for the n-th moment to be noted."""
    deadline = time.monotonic() + PATIENCE
    while len(moments) < count:
        if time.monotonic() > deadline:
            raise SystemExit("the server never saw it")
        time.sleep(0.001)
    return moments[count - 1]


def drain(child: pexpect.spawn[bytes], seconds: float) -> None:
    """Take what the terminal shows for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([child.child_fd], [], [], left)[0]:
            os.read(child.child_fd, 1 << 16)


def measure(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from socket to screen, and from Ctrl-C to the server, of each round."""
    server = Server()
    to_screen, to_server = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "work").mkdir()
        env = os.environ | {
            "SII_HOME": f"{folder}/home",
            "SII_BASE_URL": f"http://127.0.0.1:{server.port}",
            "DOCKER_HOST": f"unix://{folder}/none.sock",
            "TERM": "xterm-256color",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        child: pexpect.spawn[bytes] = pexpect.spawn(SII[0], SII[1:], cwd=f"{folder}/work", env=env)
        child.delaybeforesend = None
        seen(child, b"ready")
        drain(child, 1.0)
        for number in range(rounds):
            child.send(f"say it{ENTER}")
            shown = seen(child, b"tok%d" % number)
            to_screen.append(shown - server.written[number])
            drain(child, 0.2)
            pressed = time.monotonic()
            child.send(CTRL_C)
            to_server.append(wait_for(server.left, number + 1) - pressed)
            drain(child, 0.5)
        child.close(force=True)
    return to_screen, to_server


def floor(rounds: int) -> list[float]:
    """The same tokens through a Python that only copies."""
    server, delays = Server(), []
    for number in range(rounds):
        child: pexpect.spawn[bytes] = pexpect.spawn(sys.executable, ["-c", COPY, str(server.port)])
        delays.append(seen(child, b"tok%d" % number) - server.written[number])
        child.close(force=True)
    return delays


def show(name: str, seconds: list[float]) -> None:
    middle, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    sys.stdout.write(f"{name:<30} {middle:7.2f} ms  (worst of {len(seconds)}: {worst:.2f})\n")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_screen")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    to_screen, to_server = measure(rounds)
    bare = floor(rounds)
    show("first token, socket to screen", to_screen)
    show("the same, copied by Python", bare)
    show("Ctrl-C to the server", to_server)
    middle, least = (statistics.median(one) * 1e3 for one in (to_screen, bare))
    figure("screen: first token", middle, "ms", floor=least)
    figure("screen: Ctrl-C to the server", statistics.median(to_server) * 1e3, "ms")


if __name__ == "__main__":
    main()
