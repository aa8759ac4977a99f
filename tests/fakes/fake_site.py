"""A web site on this machine whose pages a test sets."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the site answers at one path."""

    body: bytes = b""
    content_type: str | None = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silence: float = 0.0
    """Seconds to wait before the body."""


@dataclass
class FakeSite:
    """The site's pages by path, and the requests it got as (host header, path)."""

    port: int
    pages: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each request, by names in small letters."""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def fake_site(tls: ssl.SSLContext | None = None) -> Iterator[FakeSite]:
    """Serve a site until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers["Content-Length"] or 0)
            site.bodies.append(self.rfile.read(size))
            site.headers.append({name.lower(): value for name, value in self.headers.items()})
            site.requests.append((self.headers["Host"], self.path))
            path = self.path.partition("?")[0]
            answer = site.pages.get(path, Answer(b"<p>Nothing here.</p>", status=404))
            self.send_response(answer.status)
            if answer.content_type:
                self.send_header("Content-Type", answer.content_type)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.flush()
            time.sleep(answer.silence)
            self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site = FakeSite(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
