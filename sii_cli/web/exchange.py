"""One request of a browser, carried to a port inside the sandbox, and its response.

A connection carries one request, so nothing can be smuggled behind it: the request is read and
rewritten, and the connection is closed after the response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11

from sandbox.ports import PortConnection
from sii_cli.web.preview_access import PreviewAccess, Refused, without_own_cookie

Connect = Callable[[], Awaitable[PortConnection]]
"""Connects to the port. Raises `OSError` when that cannot be done."""
MOST_BODY = 64 << 20
"""Bytes of a request's body. A response may be of any length: it is read as the browser takes it.
"""
HEAD = 64 << 10
_MOST_LINES = 200
"""Headers of a request: each is work, and thousands fit into few bytes."""
HEAD_SECONDS = 20.0
_LEFT_EVERY = 2.0
"""Seconds between looks whether the browser still waits."""
_LINGER = 2.0
_LINGER_PIECES = 64
_PIECE = 16 << 10
"""Bytes read at once: what comes in one piece is not counted as a head's lines and bytes."""
_ONE_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}
_SENDS_ELSEWHERE = frozenset(
    (
        *(b"content-security-policy", b"content-security-policy-report-only", b"nel"),
        *(b"document-policy-report-only", b"permissions-policy-report-only", b"link"),
        *(b"report-to", b"reporting-endpoints", b"speculation-rules"),
    )
)
"""Headers of a response that let the browser report to, or connect to, another host by itself."""
_CLOSE = (b"Connection", b"close")
_OPENED = (
    "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content='0;url=/'>"
    "<title>sii</title><p><a href='/'>The preview</a>"
)
"""A page and not a redirect: a request that it makes comes from the preview's own site."""

Headers = list[tuple[bytes, bytes]]


class PreviewExchange:
    """Serves one connection of a browser."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        access: PreviewAccess,
        connect: Connect,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._access = access
        self._connect = connect
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)
        self._watching: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve to the end; the caller closes the connection."""
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                request = await self._request()
            if request is not None:
                await self._serve(request)
        except Refused as refused:
            await self._answer(refused.status, f"{refused}\n")
        except h11.RemoteProtocolError as error:
            await self._answer(error.error_status_hint, f"This is not read as HTTP: {error}.\n")
        except (
            OSError,
            h11.LocalProtocolError,
        ):  # one side left, is too slow, or contradicts itself
            return

    async def refuse(self, status: int, message: str) -> None:
        """Answer without reading the request."""
        with suppress(OSError):
            await self._answer(status, f"{message}\n")

    async def _request(self) -> h11.Request | None:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.trailing_data[0].count(b"\n") > _MOST_LINES:
                raise h11.RemoteProtocolError("too many headers", error_status_hint=431)
            self._http.receive_data(await self._reader.read(_PIECE))
        return event if isinstance(event, h11.Request) else None

    async def _serve(self, request: h11.Request) -> None:
        cookie = self._access.check(request)
        if cookie is not None:
            headers = [(b"Set-Cookie", cookie.encode()), (b"Cache-Control", b"no-store")]
            await self._answer(200, _OPENED, b"text/html", headers)
            return
        sent = _rewritten(request)
        try:
            port = await self._connect()
        except OSError as error:
            raise Refused(502, str(error)) from None
        try:
            await self._carry(sent, port)
        finally:
            port.close()

    async def _carry(self, request: h11.Request, port: PortConnection) -> None:
        inside = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        head = inside.send(request) or b""
        first = self._http.next_event()
        if isinstance(first, h11.EndOfMessage):
            await port.write(head + (inside.send(h11.EndOfMessage()) or b""))
            await self._download(inside, port)
            return
        if any(name == b"upgrade" for name, _ in request.headers):
            raise Refused(400, "A request for a websocket has no body.")
        await port.write(head)
        tasks = [
            asyncio.create_task(self._upload(first, inside, port)),
            asyncio.create_task(self._download(inside, port)),
        ]
        try:
            for done in asyncio.as_completed(tasks):
                await done
                if tasks[1].done():
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _upload(self, event: object, inside: h11.Connection, port: PortConnection) -> None:
        """Send the request's body to the port, from its first event on."""
        size = 0
        while not isinstance(event, h11.ConnectionClosed):
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._read())
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > MOST_BODY:
                    raise Refused(413, f"A request has at most {MOST_BODY >> 20} MiB.")
                await self._send_inside(event, inside, port)
            elif isinstance(event, h11.EndOfMessage):
                await self._send_inside(h11.EndOfMessage(), inside, port)
                return
            await asyncio.sleep(0)
            event = self._http.next_event()

    async def _send_inside(
        self, event: h11.Event, inside: h11.Connection, port: PortConnection
    ) -> None:
        with suppress(ConnectionError, h11.LocalProtocolError):  # it may answer before the end
            await port.write(inside.send(event) or b"")

    async def _download(self, inside: h11.Connection, port: PortConnection) -> None:
        """Send the port's response to the browser."""
        self._watch(asyncio.current_task())
        try:
            while True:
                data, last = self._received(inside)
                self._writer.write(data)
                await self._writer.drain()
                if isinstance(last, h11.InformationalResponse):
                    await self._copy(inside, port)
                    return
                if last is not h11.NEED_DATA:
                    return
                inside.receive_data(await port.read())
                await asyncio.sleep(0)  # others get their turn, also where there is always more
        finally:
            if self._watching is not None:
                self._watching.cancel()

    def _received(self, inside: h11.Connection) -> tuple[bytes, object]:
        """Return what has come as the browser gets it, and the event at which it stops."""
        parts: list[bytes] = []
        while True:
            try:
                event = inside.next_event()
            except h11.RemoteProtocolError:
                if parts:
                    return b"".join(parts), None
                raise Refused(502, "The port's response is missing, or is not HTTP.") from None
            match event:
                case h11.Response(status_code=status, reason=reason):
                    headers = self._for_browser(event)
                    event = h11.Response(status_code=status, reason=reason, headers=headers)
                case h11.EndOfMessage():
                    event = h11.EndOfMessage()
                case h11.Data() | h11.InformationalResponse():
                    pass
                case _:
                    return b"".join(parts), event
            parts.append(self._http.send(event) or b"")
            if isinstance(event, h11.EndOfMessage) or _switches(event):
                return b"".join(parts), event

    def _watch(self, task: asyncio.Task[None] | None) -> None:
        """Cancel the task when the browser has left."""
        if task is not None and self._reader.at_eof():
            task.cancel()
        else:
            loop = asyncio.get_running_loop()
            self._watching = loop.call_later(_LEFT_EVERY, self._watch, task)

    async def _copy(self, inside: h11.Connection, port: PortConnection) -> None:
        """Copy both ways what is no longer HTTP: a websocket."""

        async def up() -> None:
            data = self._http.trailing_data[0]
            while data or (data := await self._read()):
                await port.write(data)
                data = b""

        async def down() -> None:
            data = inside.trailing_data[0]
            while data or (data := await port.read()):
                self._writer.write(data)
                await self._writer.drain()
                data = b""

        tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _for_browser(self, response: h11.Response) -> Headers:
        """Return the headers, and confine the page: it reaches nothing but its own origin."""
        websocket = self._access.origin.replace("http:", "ws:")
        own = f"'self' {websocket} data: blob:"
        policy = (
            f"default-src {own} 'unsafe-inline' 'unsafe-eval'; "
            "form-action 'self'; frame-ancestors 'self'; base-uri 'self'; webrtc 'block'"
        )
        kept = _without_one_hop(response.headers)
        return [
            *((name, value) for name, value in kept if name.lower() not in _SENDS_ELSEWHERE),
            (b"Content-Security-Policy", policy.encode()),
            (b"X-DNS-Prefetch-Control", b"off"),
            _CLOSE,
        ]

    async def _read(self) -> bytes:
        return await self._reader.read(_PIECE)

    async def _answer(
        self, status: int, text: str, kind: bytes = b"text/plain", headers: Headers | None = None
    ) -> None:
        """Answer by itself, unless the response has begun."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = text.encode()
        known = [
            (b"Content-Type", kind + b"; charset=utf-8"),
            (b"Content-Length", b"%d" % len(body)),
            _CLOSE,
        ]
        with suppress(OSError):
            response = h11.Response(status_code=status, headers=[*known, *(headers or [])])
            self._writer.write(self._http.send(response) or b"")
            self._writer.write(self._http.send(h11.Data(data=body)) or b"")
            await self._writer.drain()
            await self._linger()

    async def _linger(self) -> None:
        """Read on a little: who still sends would lose the answer with the connection."""
        async with asyncio.timeout(_LINGER):
            self._writer.write_eof()
            for _ in range(_LINGER_PIECES):
                if not await self._read():
                    return


def _switches(event: object) -> bool:
    return isinstance(event, h11.InformationalResponse) and event.status_code == 101


def _rewritten(request: h11.Request) -> h11.Request:
    """Return the request as the port gets it. Raises `Refused`."""
    names = {name for name, _ in request.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        raise Refused(400, "A request has a length or comes in chunks, not both.")
    headers = [
        (name, without_own_cookie(value) if name.lower() == b"cookie" else value)
        for name, value in _without_one_hop(request.headers)
    ]
    upgrades = [value for name, value in request.headers if name == b"upgrade"]
    is_websocket = [value.lower() for value in upgrades] == [b"websocket"]
    end = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")] if is_websocket else [_CLOSE]
    return h11.Request(
        method=request.method,
        target=request.target,
        headers=[(name, value) for name, value in headers if value] + end,
    )


def _without_one_hop(headers: h11._headers.Headers) -> Headers:
    """Leave out what is meant for this hop, also what `Connection` names."""
    named = {
        part.strip().lower()
        for name, value in headers
        if name == b"connection"
        for part in value.split(b",")
    } - {b"content-length", b"transfer-encoding", b"host"}
    return [
        (name, value) for name, value in headers.raw_items() if name.lower() not in _ONE_HOP | named
    ]
