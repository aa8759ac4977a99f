"""The preview of an app: access, confinement, bodies, websockets, and apps that attack it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from sii_cli.web import exchange, preview
from sii_cli.web.preview import PreviewServer
from sii_cli.web.preview_access import PreviewAccess
from tests.fakes.fake_connection import FakeConnection

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Browser:
    """Sends what a browser would, to one preview."""

    def __init__(self, link: str) -> None:
        self._link = urlsplit(link)
        self.host = self._link.netloc
        self.cookie = ""

    async def open_link(self) -> bytes:
        answer = await self.ask("GET", f"{self._link.path}?{self._link.query}")
        found = re.search(rb"Set-Cookie: (sii_preview=[^;]+);", answer)
        self.cookie = found[1].decode() if found else self.cookie
        return answer

    def head(self, method: str, path: str, **headers: str) -> bytes:
        named = {"Host": self.host, "Cookie": self.cookie} | headers
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._link.port)

    async def ask(self, method: str, path: str, **headers: str) -> bytes:
        return await self.send(self.head(method, path, **headers))

    async def send(self, request: bytes) -> bytes:
        reader, writer = await self.connect()
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer


@asynccontextmanager
async def shown(serve: Serve) -> AsyncIterator[tuple[PreviewServer, Browser]]:
    """A preview of an app, and a browser that has opened its link."""
    app = await asyncio.start_server(serve, "127.0.0.1", 0)  # type: ignore[arg-type]
    port = app.sockets[0].getsockname()[1]

    async def connect() -> FakeConnection:
        return FakeConnection(*await asyncio.open_connection("127.0.0.1", port))

    server = await PreviewServer.start(connect)
    browser = Browser(server.new_link())
    await browser.open_link()
    try:
        yield server, browser
    finally:
        await server.close()
        app.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the request itself."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    body = await reader.readexactly(int(found[1])) if found else b""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-App: 1\r\n" % len(head + body))
    writer.write(b"Set-Cookie: own=1\r\n\r\n" + head + body)
    writer.close()


async def test_a_link_works_once_and_its_cookie_from_then_on() -> None:
    async with shown(echo) as (server, browser):
        assert b"200" in (await browser.ask("GET", "/a?b=c")).partition(b"\r\n")[0]
        again = await browser.open_link()
        assert again.startswith(b"HTTP/1.1 403")
        assert b"This link was used already" in again
        other = Browser(server.new_link())
        assert other.host == browser.host
        opened = await other.open_link()
        assert b"HttpOnly; SameSite=Strict" in opened
        assert b"http-equiv=refresh" in opened


async def test_the_app_reads_the_request_without_what_is_the_previews() -> None:
    async with shown(echo) as (_, browser):
        cookie = f"mine=1; {browser.cookie}; b=2"
        head = browser.head(
            *("POST", "/x"),
            Cookie=cookie,
            Content_Length="5",
            Connection="keep-alive, X-Hop",
            X_Hop="1",
            Origin=f"http://{browser.host}",
        )
        answer = await browser.send(head + b"hello")
        sent = answer.partition(b"\r\n\r\n")[2]
        assert sent.startswith(b"POST /x HTTP/1.1\r\n")
        assert sent.endswith(b"hello")
        assert b"sii_preview" not in sent
        assert b"X-Hop" not in sent
        for kept in (
            b"Cookie: mine=1; b=2",
            b"Host: " + browser.host.encode(),
            b"Connection: close",
        ):
            assert kept in sent


async def test_a_page_reaches_nothing_but_its_own_origin() -> None:
    async with shown(echo) as (_, browser):
        head = (await browser.ask("GET", "/")).partition(b"\r\n\r\n")[0]
        assert b"X-App: 1" in head
        assert b"Set-Cookie: own=1" in head
        assert b"Content-Security-Policy: default-src 'self' ws://" in head
        assert b"http://" not in head
        assert b"frame-ancestors 'self'" in head


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Cookie": ""}, 403),
        ({"Cookie": "sii_preview=guessed"}, 403),
        ({"Host": "127.0.0.1:8000"}, 421),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Length": "3", "Transfer_Encoding": "chunked"}, 400),
        ({"Content_Length": "x"}, 400),
        ({f"X{number}": "1" for number in range(5000)}, 431),
        ({"X": "y" * 100_000}, 431),
    ],
)
async def test_what_another_site_or_program_asks_is_refused(
    changed: dict[str, str], status: int
) -> None:
    asked = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    async with shown(serve) as (_, browser):
        answer = await browser.ask("GET", "/", **changed)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
        assert asked == []


@pytest.mark.parametrize("path", ["http://evil.example/", "*", "//[", "/.sii-open?token=", "/%00"])
async def test_no_path_is_a_fault(path: str) -> None:
    async with shown(echo) as (_, browser):
        status = (await browser.ask("GET", path)).split()[1]
        assert status in (b"200", b"400", b"403")


async def test_a_second_request_on_a_connection_reaches_nobody() -> None:
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        seen.append(await reader.read())
        writer.close()

    async with shown(serve) as (_, browser):
        both = browser.head("GET", "/first") + browser.head("GET", "/second")
        answer = await browser.send(both)
        assert answer.count(b"HTTP/1.1") == 1
    assert b"second" not in b"".join(seen)


async def test_a_websocket_passes_and_one_of_another_site_does_not() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Upgrade: websocket" in head
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi"
        )
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()

    async with shown(serve) as (_, browser):
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Key": "abc="}
        reader, writer = await browser.connect()
        writer.write(browser.head("GET", "/ws", Origin=f"http://{browser.host}", **upgrade))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(2) == b"hi"
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"PING"
        writer.close()
        other = await browser.ask("GET", "/ws", Origin="http://evil.example", **upgrade)
        assert other.startswith(b"HTTP/1.1 403 ")


async def test_a_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_BODY", 1000)
    async with shown(echo) as (_, browser):
        head = browser.head("POST", "/", Content_Length="2000")
        answer = await browser.send(head + b"x" * 2000)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_connections_are_bounded_and_others_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview, "MOST", 2)
    async with shown(echo) as (_, browser):
        idle = [await browser.connect() for _ in range(2)]
        await asyncio.sleep(0.1)
        assert (await browser.ask("GET", "/")).startswith(b"HTTP/1.1 503 ")
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.1)
        assert (await browser.ask("GET", "/")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nraw",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    ],
)
async def test_what_is_not_http_is_said_and_the_next_request_works(said: bytes) -> None:
    answers = [said, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        writer.close()

    async with shown(serve) as (_, browser):
        first = await browser.ask("GET", "/")
        assert b"raw" not in first
        assert first[:12] in (b"HTTP/1.1 502", b"HTTP/1.1 200")
        assert (await browser.ask("GET", "/")).endswith(b"fine")


@pytest.mark.hostile
async def test_a_flood_waits_for_a_browser_that_does_not_read() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    async with shown(serve) as (_, browser):
        reader, writer = await browser.connect()
        writer.write(browser.head("GET", "/"))
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        before = sent
        await asyncio.sleep(0.3)
        assert sent == before < 64 << 20
        writer.close()


async def test_a_browser_that_leaves_frees_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_LEFT_EVERY", 0.05)
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        left.set()
        writer.close()

    async with shown(serve) as (_, browser):
        _, writer = await browser.connect()
        writer.write(browser.head("GET", "/"))
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.wait_for(left.wait(), 5)


async def test_where_nothing_listens_it_is_said() -> None:
    async def connect() -> FakeConnection:
        raise ConnectionRefusedError("Port 8000: nothing accepts connections there.")

    server = await PreviewServer.start(connect)
    browser = Browser(server.new_link())
    await browser.open_link()
    answer = await browser.ask("GET", "/")
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert answer.endswith(b"Port 8000: nothing accepts connections there.\n")
    await server.close()
    with pytest.raises(ConnectionRefusedError):
        await browser.connect()


def test_every_preview_is_a_site_of_its_own() -> None:
    first, second = PreviewAccess(), PreviewAccess()
    for one in (first, second):
        one.serve_at(8000)
    assert first.origin != second.origin
    assert re.fullmatch(r"http://sii-[0-9a-f]{16}\.localhost:8000", first.origin)


async def test_an_app_has_the_browser_report_to_nobody() -> None:
    headers = (
        b"Content-Security-Policy: default-src *; report-uri https://elsewhere.example/\r\n"
        b"content-security-policy-report-only: default-src 'none'; report-uri //elsewhere/\r\n"
        b'Reporting-Endpoints: a="https://elsewhere.example/"\r\nNEL: {}\r\nReport-To: {}\r\n'
        b"Link: <https://elsewhere.example/>; rel=preconnect\r\nX-App: 1\r\n"
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + headers + b"\r\nhi")
        writer.close()

    async with shown(serve) as (_, browser):
        answer = await browser.ask("GET", "/")
    assert b"elsewhere" not in answer
    assert b"X-App: 1" in answer
    assert b"webrtc 'block'" in answer
