"""Connections to addresses that were checked, directly or through the machine's proxy.

A proxy is asked for a tunnel to the checked address and never for a name, which it could look up
as another one: what web_fetch reaches is decided here, with a proxy as without. In the tunnel
TLS is for the host by its name, as always.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from tools.web.proxies import Proxy
from tools.web.tls import trusted

_OF_THE_HOST = ("502", "503", "504")
"""Statuses with which a proxy tells that it could not reach the host."""
_MAX_HEAD = 16 << 10
"""Bytes of a proxy's answer to the request for a tunnel."""
_BEFORE_BODY = 256 << 10
"""Bytes of an answer's head, interim ones (1xx) before it included."""
_FRAMING = 2
"""How many times its body's bytes an answer may have on the wire."""


class ProxyRefused(httpcore.ConnectError):
    """Raised when the proxy does not answer or gives no tunnel; the message is a sentence."""


class ProxyDown(ProxyRefused):
    """Raised when that is the proxy's doing, and says nothing of the host."""


class _CountedStream(httpcore.AsyncNetworkStream):
    """A connection on which no more comes than an answer can have, framing included."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, backend: CheckedBackend) -> None:
        self._stream = stream
        self._backend = backend

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        self._backend.left -= len(data)
        if self._backend.left < 0:
            raise httpcore.ReadError("what it sends is for the most part no page")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _CountedStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that a host was checked to have, whatever it is asked for.

    Each is for one answer: `left` bytes of it may still come.
    """

    def __init__(self, addresses: Sequence[str], proxy: Proxy | None) -> None:
        self._addresses = addresses
        self._proxy = proxy
        self._network = httpcore.AnyIOBackend()
        self.left = _BEFORE_BODY

    def allow_body(self, limit: int) -> None:
        """Take a body of so many bytes from here on."""
        self.left = _FRAMING * limit + _BEFORE_BODY

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers."""
        for address in self._addresses:
            try:
                if self._proxy is None:
                    stream = await self._network.connect_tcp(address, port, timeout)
                else:
                    stream = await self._tunnel(self._proxy, address, port, timeout)
                return _CountedStream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == self._addresses[-1]:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def _tunnel(
        self, proxy: Proxy, address: str, port: int, timeout: float | None
    ) -> httpcore.AsyncNetworkStream:
        parts = urlsplit(proxy.url)
        is_tls = parts.scheme == "https"
        assert parts.hostname is not None
        try:
            stream = await self._network.connect_tcp(
                parts.hostname, parts.port or (443 if is_tls else 80), timeout
            )
            if is_tls:
                stream = await stream.start_tls(trusted(), parts.hostname, timeout)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise ProxyDown(f"the proxy {proxy.shown} does not answer") from error
        try:
            await _ask_for_tunnel(stream, proxy, f"{_bracketed(address)}:{port}", timeout)
        except BaseException:
            await stream.aclose()
            raise
        return stream


async def _ask_for_tunnel(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, target: str, timeout: float | None
) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *_authorization(proxy)]
    await stream.write("\r\n".join([*lines, "", ""]).encode("ascii"), timeout)
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.read(4096, timeout)
        head += data
        if not data or len(head) > _MAX_HEAD:
            raise ProxyDown(f"the proxy {proxy.shown} does not speak HTTP")
    status = head.split(b"\r\n", 1)[0].split(b" ")[1:2]
    if status != [b"200"]:
        said = b"".join(status)[:3].decode("ascii", "replace")
        kind = ProxyRefused if said in _OF_THE_HOST else ProxyDown
        raise kind(f"the proxy {proxy.shown} gives no tunnel to {target} ({said})")


def _authorization(proxy: Proxy) -> list[str]:
    parts = urlsplit(proxy.url)
    if parts.username is None:
        return []
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}"]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
