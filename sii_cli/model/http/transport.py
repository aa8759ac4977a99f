"""The connections to one model server: aiohttp's (llhttp in C), each answer read within bounds.

A request goes to the server that was named and to no other: redirects are not followed, no cookie
is kept, and a proxy is used only before public hosts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from sii_cli.model.response_limits import ResponseTooLarge
from tools.web.proxies import Proxy, find_proxy
from tools.web.tls import trusted

CONNECT_TIMEOUT = 10.0
MAX_HEADER = 64 << 10
"""Bytes of a response's status line, and of a header."""
MAX_HEADERS = 128
PIECE = 16 << 10
"""Bytes of a body that are read at a time."""
MAX_INTERIM = 16
"""Interim answers (1xx) before the answer; real servers send one at most."""
MAX_HEADS = 2 << 20
"""Bytes of an answer's head and of the interim ones before it."""
MAX_UNASKED = 64 << 10
"""Bytes that may arrive on an idle connection."""
MOST_FRAMING = 2
"""How many times its body's bytes an answer may have on the wire: each event is a chunk or more."""
IDENTITY = ("", "identity")
"""Content codings of a body that is sent as it is."""


class BadUrl(Exception):
    """Raised when a text is not the URL of a model server."""


class BadKey(Exception):
    """Raised when the key has characters that cannot be sent."""


class AnswerCompressed(Exception):
    """Raised when an answer is compressed, against the request; the message names the coding."""


class ProxyFailed(Exception):
    """Raised when the proxy before the server is away or refuses; the message is a sentence."""


class _Arrivals:
    """Counts the bytes of a connection: parsers skip framing, and queue unrequested answers."""

    def __init__(self, response: aiohttp.ClientResponse, protocol: ResponseHandler) -> None:
        self._response = response
        self._protocol = protocol
        self._most = self._left = MAX_HEADS
        protocol.data_received = self._take  # type: ignore[method-assign]

    def allow(self, most: int) -> None:
        """Allow this many bytes from here on."""
        self._most = self._left = most

    def _take(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            ResponseHandler.data_received(self._protocol, data)
            return
        error = ResponseTooLarge(
            f"more than {self._most:,} bytes, most of them no part of an answer"
        )
        self._protocol.set_exception(error)
        if self._response.content is not None:
            self._response.content.set_exception(error)
        self._protocol.close()


class _Response(aiohttp.ClientResponse):
    arrivals: _Arrivals

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Wait for the answer after a few interim ones; aiohttp alone accepts any number."""
        protocol = connection.protocol
        assert protocol is not None
        self.arrivals = _Arrivals(self, protocol)
        read, heads = protocol.read, 0

        async def read_counted() -> object:
            nonlocal heads
            heads += 1
            if heads > MAX_INTERIM + 1:
                raise ResponseTooLarge(
                    f"more than {MAX_INTERIM} interim answers (1xx) and no answer"
                )
            return await read()

        protocol.read = read_counted  # type: ignore[method-assign,assignment]
        try:
            return await super().start(connection)
        finally:
            del protocol.read


class Answer:
    """A response whose body is still to be read."""

    def __init__(self, response: _Response, limit: int) -> None:
        """`limit`: bytes that the body may have."""
        arrivals = response.arrivals
        arrivals.allow(MOST_FRAMING * limit + MAX_HEADS)
        response.content.on_eof(lambda: arrivals.allow(MAX_UNASKED))
        self._response = response
        self._left = self._limit = limit
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        """Return what has arrived, as soon as something has; nothing at the end.

        Raises `ResponseTooLarge`, `aiohttp.ClientError`.
        """
        try:
            data = await self._response.content.read(PIECE)
        except Exception:
            # aiohttp raises first, and would lose what had arrived before the connection broke.
            if not (data := self._response.content._read_nowait(PIECE)):
                raise
        if len(data) == PIECE:  # more is there, as of a flood: others in the loop come first
            await asyncio.sleep(0)
        self._left -= len(data)
        if self._left < 0:
            raise ResponseTooLarge(f"more than {self._limit:,} bytes")
        return data

    async def read_all(self) -> bytes:
        """Return the whole body. Raises as `read` does."""
        pieces = []
        while data := await self.read():
            pieces.append(data)
        return b"".join(pieces)

    def close(self) -> None:
        """Release the connection: it is kept when the body was read to its end, else closed."""
        self._response.close()


class Connections:
    """Sends requests to one server. Connections are made when they are needed, and kept."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        """`headers` go with every request."""
        self._base_url = base_url
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "sii", **headers}
        self._session: aiohttp.ClientSession | None = None
        self._proxy: Proxy | None = None

    async def send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], limit: int
    ) -> Answer:
        """Return the answer, its body (of `limit` bytes at most) still to be read.

        Raises `BadUrl`, `BadKey`, `BadProxy`, `ProxyFailed`, `NoCertificates`, `AnswerCompressed`,
        `ResponseTooLarge`, `aiohttp.ClientError`, `TimeoutError`.
        """
        if not "".join(self._headers.values()).isprintable():
            raise BadKey
        if self._session is None:
            self._session = await self._open()
        try:
            # Not as the session's own: aiohttp gives those to a proxy too, the key among them.
            headers = {**self._headers, **headers}
            response = await self._request(self._session, method, url, data=body, headers=headers)
        except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
            assert self._proxy is not None
            raise ProxyFailed(_proxy_words(self._proxy, error)) from error
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in IDENTITY:
            response.close()
            raise AnswerCompressed(coding[:40])
        assert isinstance(response, _Response)
        return Answer(response, limit)

    async def _request(
        self, session: aiohttp.ClientSession, method: str, url: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Send a request, and again where an idle connection was closed meanwhile."""
        while True:
            reused: list[bool] = []
            try:
                return await session.request(
                    method,
                    URL(url, encoded=True),
                    allow_redirects=False,
                    proxy=self._proxy.url if self._proxy else None,
                    trace_request_ctx=reused,
                    **options,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not reused:
                    raise

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _open(self) -> aiohttp.ClientSession:
        url = _server_url(self._base_url)
        assert url.host is not None
        assert url.port is not None
        self._proxy = await find_proxy(url.scheme, url.host, url.port)
        is_tls = url.scheme == "https" or (self._proxy and self._proxy.url.startswith("https:"))
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=trusted() if is_tls else True,
            resolver=aiohttp.ThreadedResolver(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[_noting_reuse()],
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
        )


def _noting_reuse() -> aiohttp.TraceConfig:
    """Return a trace that tells a request whether its connection was used before."""

    async def note(session: object, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.append(True)

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


def _server_url(text: str) -> URL:
    try:
        url = URL(text)
        is_whole = url.scheme in ("http", "https") and bool(url.host) and url.port not in (None, 0)
        is_whole = is_whole and url.user is None and url.password is None
    except ValueError as error:
        raise BadUrl(str(error)) from None
    if not is_whole:
        raise BadUrl(text)
    return url


def _proxy_words(proxy: Proxy, error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        said = f"refuses the connection ({error.status})"
    else:
        said = "does not answer"
    return f"The proxy {proxy.shown} {said}: correct it, or add the server to NO_PROXY."
