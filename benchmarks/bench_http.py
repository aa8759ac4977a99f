"""Whether the HTTP/1.1 client of our own is worth keeping: CPU a chunk beside a well-kept one.

    python -m benchmarks.bench_http [--tokens 200] [--repeats 5]

The same streams, from one server in a process of its own, are read in turn by our transport, by
httpx with the `httpx-aiohttp` transport (llhttp in C) and by httpx's own, by one session and by
128 at once, a piece every 50 ms each. Ours stays while it costs at most half of the peer's a chunk
with 128. "read" is the transport alone; "parsed" adds what is always ours: events, JSON, deltas.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import httpx
import orjson

from benchmarks.bench_model import REQUEST, bench_server
from benchmarks.peers import httpx_aiohttp
from sii_cli.model.assemble import Assembler
from sii_cli.model.sse import DONE, EventSplitter
from sii_cli.model.transport import StreamTransport

SECONDS = 0.05
"""From a piece of a stream to the next."""
BODY = b'{"messages":[%b]}' % REQUEST.messages[0]

Make = Callable[[], httpx.AsyncBaseTransport]
Read = Callable[[httpx.Response], Awaitable[int]]


def main() -> None:
    """Print the figures, and what follows from them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_http")
    parser.add_argument("--tokens", type=int, default=200, help="pieces of a stream")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sys.path.append(httpx_aiohttp())
    asyncio.run(compare(options.tokens, options.repeats))


async def compare(tokens: int, repeats: int) -> None:
    """Measure every client at one and at 128 sessions, the clients in turn."""
    from httpx_aiohttp import AiohttpTransport

    limits = httpx.Limits(max_connections=None)
    clients: dict[str, Make] = {
        "ours": StreamTransport,
        "httpx-aiohttp": lambda: AiohttpTransport(limits=limits),
        "httpx's own": lambda: httpx.AsyncHTTPTransport(limits=limits),
    }
    with bench_server("--slow", str(SECONDS), "--tokens", str(tokens)) as url:
        for sessions in (1, 128):
            for what, read in (("read", count), ("parsed", parse)):
                costs: dict[str, list[float]] = {name: [] for name in clients}
                for _ in range(repeats):
                    for name, make in clients.items():
                        costs[name].append(await cpu_of_a_chunk(make(), url, sessions, read))
                _tell(sessions, what, costs)


def _tell(sessions: int, what: str, costs: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(times) for name, times in costs.items()}
    for name, cost in medians.items():
        ratio = f"({cost / medians['ours']:.2f} of ours)" if name != "ours" else ""
        print(f"{sessions:3} sessions   {what:6} {cost * 1e6:7.1f} µs CPU a chunk   {name} {ratio}".rstrip())


async def cpu_of_a_chunk(
    transport: httpx.AsyncBaseTransport, url: str, sessions: int, read: Read
) -> float:
    """CPU seconds of this process for each chunk, over one stream of every session."""
    request = httpx.Request("POST", f"{url}/chat/completions", content=BODY)

    async def one() -> int:
        response = await transport.handle_async_request(request)
        try:
            return await read(response)
        finally:
            await response.aclose()

    started = time.process_time()
    chunks = sum(await asyncio.gather(*(one() for _ in range(sessions))))
    cost = (time.process_time() - started) / chunks
    await transport.aclose()
    return cost


async def count(response: httpx.Response) -> int:
    """Read a stream to its end; return its number of events."""
    return sum([data.count(b"data: ") async for data in response.aiter_raw()])


async def parse(response: httpx.Response) -> int:
    """Read a stream to its end, as the model's client does; return its number of events."""
    chunks, splitter, assembler = 0, EventSplitter(), Assembler()
    async for data in response.aiter_raw():
        for event in splitter.feed(data):
            chunks += 1
            if event != DONE:
                for _ in assembler.add(orjson.loads(event)):
                    pass
    return chunks


if __name__ == "__main__":
    main()
