"""One client's connection to the proxy: one request, looked at, then carried out or refused.

A connection carries one request, so nothing can be smuggled behind it: the request is read and
rewritten, and the connection is closed after its answer.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import h11

from sandbox.network.allowed_hosts import NO_NETWORK_REASON, AllowedHosts, RequestRefused
from sandbox.network.http import PIECE, carry_out, refuse_many_lines
from sandbox.network.log import NetworkLog
from sandbox.network.relay import CHUNK, tunnel
from sandbox.network.target import RequestTarget, read_target
from sandbox.network.trace import Trace
from sandbox.network.tunnel_start import first_bytes

HEAD_SIZE = 32 << 10
"""Bytes of a request's first line and headers."""
_LINGER = 2.0
_LINGER_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a client or a host may take."""

    head: float = 20.0
    """From the connection to the whole of a request's headers."""
    idle: float = 300.0
    """Without a byte in either direction."""


DEFAULT_TIMEOUTS = Timeouts()


class Exchange:
    """Serves one connection; `trace` says what is known of it, at any time."""

    def __init__(
        self, client: socket.socket, allowed: AllowedHosts, timeouts: Timeouts, log: NetworkLog
    ) -> None:
        self.trace = Trace()
        self._client = client
        self._allowed = allowed
        self._timeouts = timeouts
        self._log = log
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_SIZE)

    async def run(self) -> None:
        """Serve to the end; the caller closes the client's socket."""
        trace = self.trace
        try:
            await self._serve()
        except RequestRefused as refused:
            trace.reason = refused.reason
            if refused.status == 403:
                self._log.refuse(str(refused))
            elif refused.reason == NO_NETWORK_REASON:
                self._log.fail(str(refused))
            await self._refuse(refused.status, str(refused))
        except h11.RemoteProtocolError as error:
            trace.reason = "bad_request"
            await self._refuse(error.error_status_hint, f"The proxy cannot read this: {error}.")
        except OSError:
            trace.reason = "broken"
        except asyncio.CancelledError:
            trace.reason = "closed"
            raise

    async def _serve(self) -> None:
        request = await self._request()
        if request is None:
            return
        trace = self.trace
        trace.method = request.method.decode("ascii")
        target = trace.target = read_target(trace.method, request.target.decode("latin-1"))
        self._allowed.check(target.host, target.port)
        trace.allowed = True
        host, trace.address = await self._allowed.connect(target.host, target.port)
        with host:
            await self._unless_idle(self._carry(request, target, host))

    async def _request(self) -> h11.Request | None:
        """Read a request's head, or None when the client leaves or says nothing in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.head):
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    refuse_many_lines(self._http)
                    self._http.receive_data(await loop.sock_recv(self._client, PIECE))
        except TimeoutError:
            if not self._http.trailing_data[0]:
                return None
            raise RequestRefused(408, "bad_request", "The request did not come in time.") from None
        return event if isinstance(event, h11.Request) else None

    async def _carry(
        self, request: h11.Request, target: RequestTarget, host: socket.socket
    ) -> None:
        if request.method != b"CONNECT":
            await carry_out(request, target, self._client, self._http, host, self.trace)
            return
        if not isinstance(self._http.next_event(), h11.EndOfMessage):
            raise RequestRefused(400, "bad_request", "A request for a tunnel has no body.")
        await self._answer(h11.Response(status_code=200, reason=b"Connected", headers=[]))
        first = partial(first_bytes, self._client, self._http.trailing_data[0], target)
        await tunnel(self._client, host, first, self.trace)

    async def _unless_idle(self, work: Coroutine[None, None, None]) -> None:
        """Do the work; end it when no byte passes for too long."""
        self.trace.last = time.monotonic()
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self.trace.idle(self._timeouts.idle))
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                words = f"Nothing came for {self._timeouts.idle:g} s: the connection was closed."
                raise RequestRefused(504, "timeout", words)
            await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _answer(self, response: h11.Response, body: bytes = b"") -> None:
        self.trace.status = response.status_code
        data = self._http.send(response) or b""
        if body:
            data += self._http.send(h11.Data(body)) or b""
        await asyncio.get_running_loop().sock_sendall(self._client, data)

    async def _refuse(self, status: int, message: str) -> None:
        """Answer with a sentence, also as the status line's words: tools show those of a tunnel."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        words = message.encode("ascii", "replace")
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % (len(words) + 1)),
            (b"connection", b"close"),
        ]
        body = b"" if self.trace.method == "HEAD" else words + b"\n"
        with suppress(OSError):  # TimeoutError, too
            async with asyncio.timeout(_LINGER):
                await self._answer(
                    h11.Response(status_code=status, reason=words, headers=headers), body
                )
                self.trace.end = time.monotonic()
                await self._linger()

    async def _linger(self) -> None:
        """Read on a little: a client that still sends would lose the answer with the connection."""
        self._client.shutdown(socket.SHUT_WR)
        loop = asyncio.get_running_loop()
        for _ in range(_LINGER_CHUNKS):
            if not await loop.sock_recv(self._client, CHUNK):
                return
