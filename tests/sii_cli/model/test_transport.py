"""HTTP as servers speak it, well and badly, seen through the client."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientResponse
from aiohttp.connector import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import Completion, RequestFailed
from tests.fakes.listening import listening
from tests.sii_cli.model.calling import client, failures_of, parts_of

WHOLE = (
    b'data: {"choices":[{"delta":{"content":"Yes."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"content-length: %d\r\n" % len(WHOLE)


@dataclass
class RawServer:
    """Answers each request on a connection with the next bytes, then closes where told."""

    answers: list[bytes]
    closes: bool = False
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    base_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.answers.pop(0))
            if self.closes:
                break


@asynccontextmanager
async def raw_server(*answers: bytes, closes: bool = False) -> AsyncIterator[RawServer]:
    raw = RawServer(list(answers), closes)
    async with listening(raw.serve) as port:
        raw.base_url = f"http://127.0.0.1:{port}"
        yield raw


async def test_a_network_that_goes_away_is_a_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unreachable(reader: asyncio.StreamReader, separator: bytes) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(asyncio.StreamReader, "readuntil", unreachable)
    async with raw_server() as raw, client(raw.base_url, retries=0) as model:
        [failed] = failures_of(await parts_of(model))
    assert failed.failure.kind == "broken_stream"


@pytest.mark.parametrize(
    "answer",
    [
        OK + LENGTH + b"\r\n" + WHOLE,
        OK + b"Content-Length:%d\r\n\r\n" % len(WHOLE) + WHOLE,
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(WHOLE), WHOLE),
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + b"\r\n" + WHOLE,
    ],
)
async def test_a_body_ends_as_its_headers_say_and_the_connection_is_kept(answer: bytes) -> None:
    async with raw_server(answer, answer) as server, client(server.base_url) as model:
        for _ in range(2):
            parts = await parts_of(model)
            assert isinstance(parts[-1], Completion)
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n" + WHOLE,
        OK + b"Connection: close\r\n" + LENGTH + b"\r\n" + WHOLE,
        b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + WHOLE,
    ],
)
async def test_a_connection_that_the_server_ends_is_not_used_again(answer: bytes) -> None:
    async with (
        raw_server(answer, answer, closes=True) as server,
        client(server.base_url) as model,
    ):
        for _ in range(2):
            parts = await parts_of(model)
            assert isinstance(parts[-1], Completion)
            assert failures_of(parts) == []
        assert server.connections == 2


@pytest.mark.parametrize("texts", [["Half"], ["Half"] * 2000])
async def test_what_came_before_the_connection_broke_is_not_lost(
    texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % one.encode() for one in texts]
    started = ClientResponse.start

    async def start_late(response: ClientResponse, connection: Connection) -> ClientResponse:
        answer = await started(response, connection)
        await asyncio.sleep(0.2)  # all has arrived, and the end of the connection too
        return answer

    monkeypatch.setattr(ClientResponse, "start", start_late)
    answer = OK + b"content-length: 1000000\r\n\r\n" + b"".join(events)
    async with raw_server(answer, closes=True) as server, client(server.base_url, retries=0) as m:
        [failed] = failures_of(await parts_of(m))
    assert failed.failure.kind == "broken_stream"
    assert failed.content == "".join(texts)


async def test_a_kept_connection_that_closed_meanwhile_costs_no_attempt() -> None:
    answer = OK + LENGTH + b"\r\n" + WHOLE
    async with (
        raw_server(answer, answer, closes=True) as server,
        client(server.base_url) as model,
    ):
        await parts_of(model)
        await asyncio.sleep(0.02)
        assert failures_of(await parts_of(model)) == []


async def test_a_request_is_one_message_with_its_length() -> None:
    async with (
        raw_server(OK + LENGTH + b"\r\n" + WHOLE) as server,
        client(server.base_url, api_key="secret") as model,
    ):
        await parts_of(model)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret" in head
    assert b"Accept-Encoding: identity" in head
    assert body.endswith(b"}")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        OK + b"x: " + b"y" * (1 << 17) + b"\r\n\r\n",
        OK + b"half a header",
        OK + b"content-length: 999\r\n\r\n" + WHOLE[:20],
        OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nda",
    ],
)
async def test_what_is_no_http_is_a_broken_connection(answer: bytes) -> None:
    async with (
        raw_server(answer, closes=True) as server,
        client(server.base_url, retries=0, first_timeout=1.0) as model,
    ):
        last = (await parts_of(model))[-1]
    assert isinstance(last, RequestFailed)
    assert type(last.failure) is ModelCallFailed
    assert last.failure.kind == "broken_stream"


@settings(deadline=None, max_examples=50)
@given(junk=st.binary(max_size=300))
def test_any_bytes_after_the_headers_end_in_a_completion_or_a_named_failure(junk: bytes) -> None:
    async def call() -> None:
        answer = OK + b"transfer-encoding: chunked\r\n\r\n" + junk
        async with (
            raw_server(answer, closes=True) as server,
            client(server.base_url, retries=0, first_timeout=1.0) as model,
        ):
            assert isinstance((await parts_of(model))[-1], Completion | RequestFailed)

    asyncio.run(asyncio.wait_for(call(), 5))
