"""A server that sends what nobody asked for, or has itself asked without a rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from sii_cli.model.http.transport import PIECE
from sii_cli.model.retry import Waits
from sii_cli.model.types import Completion
from sii_cli.model.vllm import VllmModel
from tests.fakes.bomb_server import OK, UNTIL_CLOSED, PeakMemory, bomb_server
from tests.fakes.http_server import HttpServer, write
from tests.fakes.listening import listening
from tests.sii_cli.model.calling import ask, client, completion_of, parts_of
from tests.sii_cli.model.test_hostile_servers import END, delta

pytestmark = pytest.mark.hostile

UNASKED = (OK + b"content-length: 0\r\n\r\n") * 1500
MODELS = b'{"data":[{"id":"glm"}]}'


@pytest.mark.bomb
async def test_answers_that_nobody_asked_for_end_the_connection() -> None:
    broken = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        body = delta(content="Yes.") + END
        writer.write(OK + b"content-length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(0.1)  # kept by now
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(UNASKED)
                await writer.drain()
        broken.set()

    async with listening(flood) as port, client(f"http://127.0.0.1:{port}", retries=0) as model:
        assert completion_of(await parts_of(model)).content == "Yes."
        with PeakMemory() as peak:
            await asyncio.wait_for(broken.wait(), 5)
    assert peak.mb < 30


class Busy(HttpServer):
    """Takes so many chats, and is busy from then on."""

    def __init__(self, status: int, *headers: str, takes: int = 1) -> None:
        super().__init__()
        self._refusal = status, headers
        self._takes = takes
        self.chats = 0

    async def answer(
        self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        self.chats += path.endswith("completions")
        if path.endswith("models"):
            write(writer, 200, MODELS)
        elif self.chats <= self._takes:
            write(writer, 200, delta(content="Yes.") + END)
        else:
            write(writer, self._refusal[0], b"", *self._refusal[1])
        await writer.drain()


@asynccontextmanager
async def asked_again(*servers: Busy) -> AsyncIterator[None]:
    """Ask, with the waits of every session, for a second after the first answer."""
    model = VllmModel(base_url=",".join(server.base_url for server in servers), waits=Waits())
    parts = await parts_of(model)
    assert isinstance(parts[-1], Completion)
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            async for _ in model.stream(ask()):
                pass
    yield
    await model.aclose()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_asks_for_no_wait_is_not_sent_a_flood(status: int) -> None:
    async with Busy(status, "retry-after: 0") as server, asked_again(server):
        assert server.chats < 6


@pytest.mark.parametrize("headers", [(), ("retry-after: 0",)])
async def test_a_session_does_not_jump_between_busy_servers_without_a_rest(
    headers: tuple[str, ...],
) -> None:
    one, other = Busy(503, *headers), Busy(503, *headers, takes=0)
    async with one, other, asked_again(one, other):
        assert one.chats + other.chats < 10


@pytest.mark.bomb
async def test_others_get_their_turn_while_tiny_events_flood() -> None:
    event = delta(content="x")
    turn = 0

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    most = together = last = 0
    body = [UNTIL_CLOSED, event * 15_000, END]
    async with (
        bomb_server({"/v1/chat/completions": body}) as server,
        client(server.base_url, retries=0) as model,
    ):
        async for _ in model.stream(ask(max_tokens=1000)):
            together = together + 1 if turn == last else 1
            most, last = max(most, together), turn
    counting.cancel()
    assert most <= 2 * PIECE // len(event) + 2
