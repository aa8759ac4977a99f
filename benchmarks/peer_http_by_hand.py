"""A streamed answer read by hand: the HTTP/1.1 client that sii once had, as far as it is compared.

asyncio's streams behind an httpx transport; heads and chunks are parsed in Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

READ_SIZE = 256 << 10
MAX_LINE = 4 << 10


class ByHand(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reader, writer = await asyncio.open_connection(request.url.host, request.url.port)
        lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%b: %b" % header for header in request.headers.raw]
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + request.content)
        status_line, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        headers = [(name, value.strip()) for name, _, value in pairs]
        return httpx.Response(
            int(status_line.split()[1]), headers=headers, stream=_Body(reader, writer)
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._pieces():
            yield data

    async def _pieces(self) -> AsyncIterator[bytes]:
        chunked = _Chunked()
        while not chunked.is_done:
            if data := chunked.feed(await self._reader.read(READ_SIZE)):
                yield data

    async def aclose(self) -> None:
        self._writer.close()


class _Chunked:
    def __init__(self) -> None:
        self.is_done = False
        self._left = 0
        self._line = b""
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        if self._line:
            data, self._line = self._line + data, b""
        out: list[bytes] = []
        at = 0
        while at < len(data) and not self.is_done:
            if self._left:
                end = min(at + self._left, len(data))
                out.append(data[at : min(end, at + max(self._left - 2, 0))])
                self._left -= end - at
            else:
                end = self._take_line(data, at)
            at = end
        return out[0] if len(out) == 1 else b"".join(out)

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            self._line = data[at:]
            if len(self._line) > MAX_LINE:
                raise ValueError("a size line without an end")
            return len(data)
        line = data[at:end].strip()
        if self._in_trailers:
            self.is_done = not line
        else:
            self._left = int(line.partition(b";")[0], 16) + 2
            if self._left == 2:
                self._left, self._in_trailers = 0, True
        return end + 1
