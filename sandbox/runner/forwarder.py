"""The way to the proxy on the host: listens on loopback inside, copies to the proxy's socket.

Commands speak to it as to any HTTP proxy. It decides nothing: what may be reached is decided by
the proxy alone, so a command that goes to the socket by itself gains nothing. A process of its
own does the copying; when it is killed another takes its place, and the port stays open.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from .loop import Callback, EventLoop
from .privileges import become_worker
from .spawn import Launcher

PORT = 3128
"""On 127.0.0.1 inside; the usual one of an HTTP proxy."""
CONNECTIONS = 256
"""Copied at once; more wait with the kernel."""
_BACKLOG = 512
_CHUNK = 128 << 10
_RETRY = 0.05
_LISTENING = 3


class Forwarder:
    """Keeps the port open and a process that serves it."""

    def __init__(self, loop: EventLoop, launcher: Launcher, proxy: str) -> None:
        """Raises `OSError`."""
        self._loop = loop
        self._launcher = launcher
        self._proxy = proxy
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", PORT))
        self._listening.listen(_BACKLOG)
        self._spawn()

    def _spawn(self) -> None:
        try:
            pid = os.fork()
        except OSError:
            self._loop.call_later(_RETRY, self._spawn)
            return
        if pid == 0:
            _work(self._listening.fileno(), self._proxy, self._launcher)
        self._loop.watch_child(pid, self._on_exit)

    def _on_exit(self, _status: int) -> None:
        self._loop.call_later(_RETRY, self._spawn)


def proxy_environment() -> dict[str, str]:
    """Return what tells programs of the proxy; what runs inside is reached without it."""
    url, local = f"http://127.0.0.1:{PORT}", "localhost,127.0.0.1,::1,0.0.0.0,sandbox"
    named = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": local}
    return {
        **named,
        **{name.lower(): value for name, value in named.items()},
        "NODE_USE_ENV_PROXY": "1",  # Node reads the others only then
    }


def _work(fd: int, proxy: str, launcher: Launcher) -> None:
    """Be the process that copies, until it is killed. Never returns."""
    try:
        os.dup2(fd, _LISTENING)
        os.closerange(_LISTENING + 1, os.sysconf("SC_OPEN_MAX"))
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        become_worker(launcher.roles, file_size=launcher.file_size)
        os.chdir("/")
        loop = EventLoop()
        _Acceptor(loop, socket.socket(fileno=_LISTENING), proxy)
        loop.run_forever()
    finally:
        os._exit(0)


class _Acceptor:
    """Takes connections, as many as may be open at once."""

    def __init__(self, loop: EventLoop, listening: socket.socket, proxy: str) -> None:
        self._loop = loop
        self._listening = listening
        self._proxy = proxy
        self._open = 0
        listening.setblocking(False)
        loop.add_reader(listening.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self._listening.accept()
        except OSError:
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open += 1
        if self._open == CONNECTIONS:
            self._loop.remove_reader(self._listening.fileno())
        self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        host = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        host.setblocking(False)
        try:
            host.connect(self._proxy)
        except BlockingIOError:  # the proxy's queue is full
            host.close()
            self._loop.call_later(_RETRY, lambda: self._connect(client))
            return
        except OSError:
            host.close()
            client.close()
            self._closed()
            return
        _Pair(self._loop, client, host, self._closed)

    def _closed(self) -> None:
        if self._open == CONNECTIONS:
            self._loop.add_reader(self._listening.fileno(), self._accept)
        self._open -= 1


class _Pair:
    """Two connections whose bytes are copied both ways until both have ended or one breaks."""

    def __init__(
        self, loop: EventLoop, client: socket.socket, host: socket.socket, on_close: Callback
    ) -> None:
        self._loop = loop
        self._sockets = [client, host]
        self._on_close = on_close
        self._running = 2
        for source, sink in ((client, host), (host, client)):
            _Direction(loop, source, sink, self._ended)

    def _ended(self, is_broken: bool) -> None:
        self._running -= 1
        if self._sockets and (is_broken or not self._running):
            for one in self._sockets:
                self._loop.remove_reader(one.fileno())
                self._loop.remove_writer(one.fileno())
                one.close()
            self._sockets = []
            self._on_close()


class _Direction:
    """Reads no more than the other side takes."""

    def __init__(
        self,
        loop: EventLoop,
        source: socket.socket,
        sink: socket.socket,
        on_end: Callable[[bool], None],
    ) -> None:
        self._loop = loop
        self._source = source
        self._sink = sink
        self._on_end = on_end
        self._rest = memoryview(b"")
        loop.add_reader(source.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data = self._source.recv(_CHUNK)
            if not data:
                self._loop.remove_reader(self._source.fileno())
                self._sink.shutdown(socket.SHUT_WR)
                self._on_end(False)
                return
            self._rest = memoryview(data)
            self._flush()
        except BlockingIOError:
            return
        except OSError:
            self._on_end(True)
            return
        if self._rest:
            self._loop.remove_reader(self._source.fileno())
            self._loop.add_writer(self._sink.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            self._flush()
        except OSError:
            self._on_end(True)
            return
        if not self._rest:
            self._loop.remove_writer(self._sink.fileno())
            self._loop.add_reader(self._source.fileno(), self._readable)

    def _flush(self) -> None:
        with suppress(BlockingIOError):
            while self._rest:
                self._rest = self._rest[self._sink.send(self._rest) :]
