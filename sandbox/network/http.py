"""One plain HTTP request, rewritten for its host, and the host's answer, rewritten.

RFC 9110 and 9112: headers of one hop are left out, `Host` is the target's, bodies are streamed.
"""

from __future__ import annotations

import asyncio
import socket

import h11

from sandbox.network.allowed_hosts import RequestRefused
from sandbox.network.relay import CHUNK
from sandbox.network.target import RequestTarget
from sandbox.network.trace import Trace

PIECE = 16 << 10
"""Bytes read at once from a client: lines that come in one piece are taken uncounted."""
_MAX_LINES = 200
"""Lines of a head or of trailers. Each is work for us, and thousands fit into few bytes."""
ANSWER_HEAD_SIZE = 64 << 10
"""Bytes of an answer's first line and headers."""
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
_CLOSE = (b"Connection", b"close")

Headers = list[tuple[bytes, bytes]]


async def carry_out(
    request: h11.Request,
    target: RequestTarget,
    client: socket.socket,
    client_http: h11.Connection,
    host: socket.socket,
    trace: Trace,
) -> None:
    """Send the request to its host and the answer to the client.

    Raises `RequestRefused` for an answer that cannot be parsed, `h11.RemoteProtocolError` for a
    body of the client that cannot, `OSError` when a side breaks off.
    """
    host_http = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_HEAD_SIZE)
    head = host_http.send(_request_to_host(request, target))
    assert head is not None
    await _send(host, head)
    upload = asyncio.create_task(_upload(client, client_http, host, host_http, trace))
    download = asyncio.create_task(_download(client, client_http, host, host_http, trace))
    try:
        await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
        if not download.done():
            await upload
        await download
    finally:
        upload.cancel()
        download.cancel()
        await asyncio.gather(upload, download, return_exceptions=True)


def _request_to_host(request: h11.Request, target: RequestTarget) -> h11.Request:
    headers = _without_one_hop(request.headers)
    names = {name for name, _ in request.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        raise RequestRefused(
            400, "bad_request", "A request has a length or comes in chunks, not both."
        )
    headers = [(name, value) for name, value in headers if name.lower() != b"host"]
    return h11.Request(
        method=request.method,
        target=target.path,
        headers=[(b"Host", target.host_header.encode()), *headers, _CLOSE],
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


async def _upload(
    client: socket.socket,
    client_http: h11.Connection,
    host: socket.socket,
    host_http: h11.Connection,
    trace: Trace,
) -> None:
    """Send the request's body to the host."""
    is_taken = True
    while True:
        event = await _next_event(client, client_http, PIECE)
        if isinstance(event, h11.EndOfMessage):
            event = h11.EndOfMessage()
        elif not isinstance(event, h11.Data):
            return
        try:
            if is_taken:
                await _send(host, host_http.send(event))
        except (OSError, h11.LocalProtocolError):
            is_taken = False  # a host may answer before it has read everything
        if isinstance(event, h11.EndOfMessage):
            return
        trace.up(len(event.data))


async def _download(
    client: socket.socket,
    client_http: h11.Connection,
    host: socket.socket,
    host_http: h11.Connection,
    trace: Trace,
) -> None:
    """Send the host's answer to the client."""
    while True:
        try:
            event = await _next_event(host, host_http, CHUNK)
        except h11.RemoteProtocolError as error:
            raise RequestRefused(
                502, "bad_answer", f"The host's answer is not HTTP: {error}."
            ) from None
        match event:
            case h11.Response():
                trace.status = event.status_code
                headers = [*_without_one_hop(event.headers), _CLOSE]
                event = h11.Response(
                    status_code=event.status_code, reason=event.reason, headers=headers
                )
            case h11.Data(data=data):
                trace.down(len(data))
            case h11.EndOfMessage():
                event = h11.EndOfMessage()
            case h11.InformationalResponse():
                pass
            case _:
                return
        await _send(client, client_http.send(event))
        if isinstance(event, h11.EndOfMessage):
            return


def refuse_many_lines(http: h11.Connection) -> None:
    """Raise `h11.RemoteProtocolError` when a head or trailers that have not ended are too long.

    To be called when more data is needed: then nothing else is left unread.
    """
    if http.trailing_data[0].count(b"\n") > _MAX_LINES:
        raise h11.RemoteProtocolError(f"more than {_MAX_LINES} headers", error_status_hint=431)


async def _next_event(connection: socket.socket, http: h11.Connection, size: int) -> object:
    loop = asyncio.get_running_loop()
    while True:
        # Others get their turn: a socket may always be ready, and what was read at once may hold
        # a chunk for every byte.
        await asyncio.sleep(0)
        event = http.next_event()
        if event is not h11.NEED_DATA:
            return event
        refuse_many_lines(http)
        http.receive_data(await loop.sock_recv(connection, size))


async def _send(connection: socket.socket, data: bytes | None) -> None:
    if data:
        await asyncio.get_running_loop().sock_sendall(connection, data)
