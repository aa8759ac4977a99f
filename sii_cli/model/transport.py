"""HTTP/1.1 over asyncio streams as an httpx transport: one write a request, reads as they come.

httpx's own transport takes over 1 ms of CPU a request and 0.1 ms a read, which is most of what a
step costs; this one a tenth (`benchmarks/bench_model.py`). Proxies are left to httpx's own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.request import getproxies, proxy_bypass

import httpx

from sii_cli.model.chunked import BadChunk, Chunked

READ_SIZE = 256 << 10
MAX_HEAD = 64 << 10
"""Bytes of a response's status line and headers."""

Headers = list[tuple[bytes, bytes]]


def transport_for(base_url: str) -> httpx.AsyncBaseTransport:
    """Return the transport for a server: ours, or httpx's own where a proxy stands between.

    Raises `httpx.InvalidURL`, `httpx.UnsupportedProtocol`.
    """
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"{url.scheme!r} is no protocol of a model server")
    proxies = getproxies()
    if (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.host):
        proxy = proxies.get(url.scheme) or proxies["all"]
        return httpx.AsyncHTTPTransport(proxy=proxy)
    return StreamTransport()


class StreamTransport(httpx.AsyncBaseTransport):
    """Sends requests over connections that are kept and used again."""

    def __init__(self) -> None:
        self._idle: list[_Connection] = []
        self._ssl: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response, its body still to be read. Raises `httpx.TransportError`."""
        message = _head(request) + b"".join([part async for part in _parts(request)])
        timeouts = request.extensions.get("timeout", {})
        while True:
            connection = self._idle_connection()
            is_fresh = connection is None
            if connection is None:
                connection = await self._connect(request.url, timeouts.get("connect"))
            try:
                status, headers = await connection.exchange(message, timeouts.get("read"))
                break
            except _Unanswered as error:
                # A kept connection may have been closed while the request was on its way.
                if is_fresh:
                    raise httpx.RemoteProtocolError(str(error)) from None
        return httpx.Response(status, headers=headers, stream=_Body(connection, self._idle))

    async def aclose(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _idle_connection(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return None

    async def _connect(self, url: httpx.URL, timeout: float | None) -> _Connection:
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme == "https" and self._ssl is None:
            self._ssl = httpx.create_ssl_context()
        context = self._ssl if url.scheme == "https" else None
        try:
            async with asyncio.timeout(timeout):
                opened = await asyncio.open_connection(url.host, port, ssl=context, limit=MAX_HEAD)
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except ssl.SSLError as error:
            raise httpx.ConnectError(f"SSL: {error}") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return _Connection(*opened)


class _Unanswered(Exception):
    """The connection was closed before the first byte of a response."""


class _Connection:
    """One connection; one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout: float | None = None
        self._length: int | None = None
        """Bytes of a body whose length was announced; none: in chunks, or until the end."""
        self._is_chunked = False
        self._keeps = False

    @property
    def is_open(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, message: bytes, timeout: float | None) -> tuple[int, Headers]:
        """Send a request; return the status and headers of the response."""
        self._timeout = timeout
        try:
            self._writer.write(message)
            with suppress(OSError):  # the answer may have come before all was sent
                await self._writer.drain()
            status, headers = await self._read_head()
            while status < 200:
                status, headers = await self._read_head()
        except BaseException:
            self.close()
            raise
        return status, headers

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; at its end the connection can be used again, or is closed."""
        if self._is_chunked:
            chunked = Chunked()
            while not chunked.is_done:
                data = chunked.feed(await self._read_some())
                if data:
                    yield data
        elif self._length is not None:
            while self._length:
                data = await self._read_some(self._length)
                self._length -= len(data)
                yield data
        else:
            while data := await self._read(READ_SIZE):
                yield data

    @property
    def keeps(self) -> bool:
        """Whether the server keeps the connection open after this response."""
        return self._keeps

    async def _read_head(self) -> tuple[int, Headers]:
        try:
            async with asyncio.timeout(self._timeout):
                raw = await self._reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise httpx.RemoteProtocolError("the connection closed in a header") from None
            raise _Unanswered("the connection closed without an answer") from None
        except OSError as error:
            raise _Unanswered(str(error)) from None
        except asyncio.LimitOverrunError:
            raise httpx.RemoteProtocolError(f"headers of over {MAX_HEAD} bytes") from None
        status_line, *lines = raw[:-4].split(b"\r\n")
        headers = [_header(line) for line in lines]
        self._frame(status_line, {name.lower(): value.lower() for name, value in headers})
        return _status(status_line), headers

    def _frame(self, status_line: bytes, headers: dict[bytes, bytes]) -> None:
        """Note how the body ends (RFC 9112, 6.3)."""
        self._is_chunked = headers.get(b"transfer-encoding", b"").endswith(b"chunked")
        length = headers.get(b"content-length", b"")
        self._length = int(length) if length.isdigit() else None
        self._keeps = (
            status_line.startswith(b"HTTP/1.1")
            and headers.get(b"connection") != b"close"
            and (self._is_chunked or self._length is not None)
        )

    async def _read_some(self, limit: int = READ_SIZE) -> bytes:
        data = await self._read(min(limit, READ_SIZE))
        if not data:
            raise httpx.RemoteProtocolError("the connection closed in the middle of an answer")
        return data

    async def _read(self, limit: int) -> bytes:
        try:
            if self._timeout is None:
                return await self._reader.read(limit)
            async with asyncio.timeout(self._timeout):
                return await self._reader.read(limit)
        except TimeoutError:
            raise httpx.ReadTimeout("nothing came in time") from None
        except OSError as error:
            raise httpx.ReadError(str(error)) from error


class _Body(httpx.AsyncByteStream):
    """The body of a response; read to its end, it gives its connection back."""

    def __init__(self, connection: _Connection, idle: list[_Connection]) -> None:
        self._connection = connection
        self._idle = idle
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._connection.body():
                yield data
        except BadChunk as error:
            raise httpx.RemoteProtocolError(str(error)) from None
        self._is_whole = True

    async def aclose(self) -> None:
        if self._is_whole and self._connection.keeps:
            self._idle.append(self._connection)
        else:
            self._connection.close()


def _parts(request: httpx.Request) -> httpx.AsyncByteStream:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    return request.stream


def _head(request: httpx.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _status(line: bytes) -> int:
    fields = line.split(b" ", 2)
    if len(fields) < 2 or not fields[0].startswith(b"HTTP/1.") or not fields[1].isdigit():
        raise httpx.RemoteProtocolError(f"no HTTP/1.1 answer but {line[:80]!r}")
    return int(fields[1])


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip()
