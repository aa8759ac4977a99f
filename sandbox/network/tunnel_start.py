"""What a client first sends through a tunnel: TLS must be for the same host that was requested.

Otherwise a tunnel to an allowed host would reach every other one that shares its address.
"""

from __future__ import annotations

import asyncio
import socket

from sandbox.network.allowed_hosts import RequestRefused
from sandbox.network.client_hello import HANDSHAKE, MAX_SIZE, Incomplete, server_name
from sandbox.network.hosts import as_address, canonical
from sandbox.network.relay import CHUNK
from sandbox.network.target import RequestTarget

TLS_PORT = 443
"""Here a tunnel carries nothing but TLS."""


async def first_bytes(client: socket.socket, early: bytes, target: RequestTarget) -> bytes:
    """Return what the client first sends, `early` with it; all of its first message if it is TLS.

    Raises `RequestRefused` for TLS with another host than the tunnel's.
    """
    loop = asyncio.get_running_loop()
    data = early or await loop.sock_recv(client, CHUNK)
    while data:
        try:
            check_start(data, target)
            break
        except Incomplete:
            more = await loop.sock_recv(client, CHUNK)
            if not more or len(data) > 2 * MAX_SIZE:
                raise _misdirected(target, "breaks off in its first message") from None
            data += more
    return data


def check_start(data: bytes, target: RequestTarget) -> None:
    """Raise `RequestRefused` for what may not pass, `Incomplete` when more bytes are needed."""
    if data[0] != HANDSHAKE:
        if target.port == TLS_PORT:
            raise _misdirected(target, "carries no TLS")
        return
    try:
        name = server_name(data)
        host = None if name is None else canonical(name)
    except ValueError as error:
        raise _misdirected(target, f"cannot be read: {error}") from None
    if host is None and as_address(target.host) is None:
        raise _misdirected(target, "names no host in its TLS (SNI)")
    if host is not None and host != target.host:
        raise _misdirected(target, f"names another host in its TLS (SNI): {host}")


def _misdirected(target: RequestTarget, what: str) -> RequestRefused:
    return RequestRefused(
        403, "misdirected", f"The tunnel to {target.host} at port {target.port} {what}."
    )
