"""The host that a TLS client names in its first message (RFC 8446, 4.1.2; RFC 6066, 3).

Hosts of many owners share one address. A tunnel is opened to one of them by name, and the name in
this message is what decides whom the address lets speak.
"""

from __future__ import annotations

HANDSHAKE = 22
"""First byte of what a TLS client sends."""
MAX_SIZE = 16 << 10
"""Bytes of the message; usual ones have 500 to 2,000."""
_MOST_RECORDS = 16
"""Usual clients send one or two. What waits for more bytes is read again from its beginning: in
records of a byte each that would take a second of everyone's time."""
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_HOST_NAME = 0


class Incomplete(Exception):
    """More bytes are needed."""


class _Bytes:
    """Reads numbers and vectors from the front. Raises `Incomplete` when bytes are missing."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def read(self, size: int) -> bytes:
        if len(self._data) < size:
            raise Incomplete
        front, self._data = self._data[:size], self._data[size:]
        return front

    def number(self, size: int) -> int:
        return int.from_bytes(self.read(size), "big")

    def vector(self, length_size: int) -> bytes:
        return self.read(self.number(length_size))


def server_name(data: bytes) -> str | None:
    """Return the host that a client's first bytes name, or None when they name no host.

    Raises `Incomplete`, and `ValueError` for any other message.
    """
    hello = _hello(_Bytes(data))
    try:
        return _name_in(_Bytes(hello))
    except Incomplete:
        raise ValueError("the message is shorter than it says") from None


def _hello(records: _Bytes) -> bytes:
    """Return the message, which may be spread over several records."""
    message = b""
    for _ in range(_MOST_RECORDS):
        if records.number(1) != HANDSHAKE:
            raise ValueError("no handshake")
        records.read(2)
        message += records.vector(2)
        if len(message) < 4:
            continue
        if message[0] != _CLIENT_HELLO:
            raise ValueError("no client hello")
        size = int.from_bytes(message[1:4], "big")
        if size > MAX_SIZE:
            raise ValueError("a client hello that is too long")
        if len(message) >= 4 + size:
            return message[4 : 4 + size]
    raise ValueError("a client hello in too many records")


def _name_in(hello: _Bytes) -> str | None:
    hello.read(2 + 32)  # version, random
    for length_size in (1, 2, 1):  # session id, cipher suites, compression
        hello.vector(length_size)
    extensions = _Bytes(hello.vector(2)) if hello else _Bytes(b"")
    if hello:
        raise ValueError("bytes after the extensions")
    found: list[str] = []
    while extensions:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            found.append(_host_name(_Bytes(body)))
    if len(found) > 1:  # which one a server takes is up to the server
        raise ValueError("more than one name")
    return found[0] if found else None


def _host_name(extension: _Bytes) -> str:
    names = _Bytes(extension.vector(2))
    if names.number(1) != _HOST_NAME:
        raise ValueError("a name that is not a host's")
    name = names.vector(2)
    if names or extension:
        raise ValueError("more than one name")
    return name.decode("ascii")  # UnicodeDecodeError is a ValueError
