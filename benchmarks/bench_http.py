"""Whether an HTTP/1.1 client written by hand would be worth it: CPU a chunk beside kept ones.

    python -m benchmarks.bench_http [--tokens 100] [--repeats 5]

The same streams, from one server in a process of its own, are read in turn by sii's client (it is
aiohttp: llhttp in C), by one written by hand, by httpx with the `httpx-aiohttp` transport, and by
httpx's own; by one session and by 128 at once, a piece every 50 ms each. One written by hand has to
cost at most half of aiohttp's a chunk with 128 sessions: what it parses is hostile. "read" is the
transport alone; "parsed" adds what is the same for all: events, JSON, deltas.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import orjson

from benchmarks.bench_model import REQUEST, bench_server
from benchmarks.figures import figure
from benchmarks.peer_http_by_hand import ByHand
from benchmarks.peers import httpx_aiohttp
from sii_cli.model.assemble import Assembler
from sii_cli.model.http.sse import DONE, EventSplitter
from sii_cli.model.http.transport import Connections

SECONDS = 0.05
"""From a piece of a stream to the next."""
BODY = b'{"messages":[%b]}' % REQUEST.messages[0]
OURS = "sii's (aiohttp)"

Stream = AsyncIterator[bytes]
Read = Callable[[Stream], Awaitable[int]]


class Ours:
    """sii's own client, as the model layer uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = Connections(url, {})

    async def stream(self) -> Stream:
        url = f"{self._url}/chat/completions"
        answer = await self._connections.send("POST", url, BODY, {}, 1 << 30)
        while data := await answer.read():
            yield data
        answer.close()

    async def aclose(self) -> None:
        await self._connections.aclose()


class Through:
    """A transport of httpx."""

    def __init__(self, transport: httpx.AsyncBaseTransport, url: str) -> None:
        self._transport = transport
        self._request = httpx.Request("POST", f"{url}/chat/completions", content=BODY)

    async def stream(self) -> Stream:
        response = await self._transport.handle_async_request(self._request)
        async for data in response.aiter_raw():
            yield data
        await response.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()


Client = Ours | Through


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_http")
    parser.add_argument("--tokens", type=int, default=100, help="pieces of a stream")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sys.path.append(httpx_aiohttp())
    asyncio.run(compare(options.tokens, options.repeats))


async def compare(tokens: int, repeats: int) -> None:
    """Measure every client at one and at 128 sessions, the clients in turn."""
    from httpx_aiohttp import AiohttpTransport

    limits = httpx.Limits(max_connections=None)
    clients: dict[str, Callable[[str], Client]] = {
        OURS: Ours,
        "by hand": lambda url: Through(ByHand(), url),
        "httpx-aiohttp": lambda url: Through(AiohttpTransport(limits=limits), url),
        "httpx's own": lambda url: Through(httpx.AsyncHTTPTransport(limits=limits), url),
    }
    with bench_server("--slow", str(SECONDS), "--tokens", str(tokens)) as url:
        for sessions in (1, 128):
            for what, read in (("read", count), ("parsed", parse)):
                costs: dict[str, list[float]] = {name: [] for name in clients}
                for _ in range(repeats):
                    for name, make in clients.items():
                        costs[name].append(await cpu_of_a_chunk(make(url), sessions, read))
                _tell(sessions, what, costs)


def _tell(sessions: int, what: str, costs: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(times) for name, times in costs.items()}
    for name, cost in medians.items():
        figure(f"http: {sessions} sessions, {what}, {name}", cost * 1e6, "µs")
        print(
            f"{sessions:3} sessions   {what:6} {cost * 1e6:7.1f} µs CPU a chunk   {name:15}"
            f"   {cost / medians[OURS]:.2f} of sii's"
        )


async def cpu_of_a_chunk(client: Client, sessions: int, read: Read) -> float:
    """CPU seconds of this process for each chunk, over one stream of every session."""
    started = time.process_time()
    chunks = sum(await asyncio.gather(*(read(client.stream()) for _ in range(sessions))))
    cost = (time.process_time() - started) / chunks
    await client.aclose()
    return cost


async def count(stream: Stream) -> int:
    """Read a stream to its end; return its number of events."""
    return sum([data.count(b"data: ") async for data in stream])


async def parse(stream: Stream) -> int:
    """Read a stream to its end, as the model's client does; return its number of events."""
    chunks, splitter, assembler = 0, EventSplitter(), Assembler()
    async for data in stream:
        for event in splitter.feed(data):
            chunks += 1
            if event != DONE:
                for _ in assembler.add(orjson.loads(event)):
                    pass
    return chunks


if __name__ == "__main__":
    main()
