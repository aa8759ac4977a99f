"""What the model layer costs: a streamed chunk, a request, the first token, many sessions at once.

    python -m benchmarks.bench_model [--sessions 64] [--rounds 5]

Each figure stands beside its floor, measured in the same run: orjson alone for a chunk, a bare
socket and httpx's own transport for a request, one session alone for many.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from benchmarks.figures import figure
from sii_cli.model.assemble import Assembler
from sii_cli.model.http.sse import EventSplitter
from sii_cli.model.types import STREAMING, ChatRequest, Completion, Delta
from sii_cli.model.vllm import VllmModel

REPO = Path(__file__).parent.parent
REQUEST = ChatRequest(
    request_id="bench",
    messages=[b'{"role":"user","content":"Run it."}'],
    tools=None,
    params={"model": "glm", **STREAMING},
)
CHUNK = (
    b'data: {"id":"chatcmpl-a27cd0acf720fc41","object":"chat.completion.chunk",'
    b'"created":1795351424,"model":"glm","choices":[{"index":0,"delta":{"reasoning":" word"},'
    b'"logprobs":null,"finish_reason":null,"token_ids":[652]}]}\n\n'
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_model")
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5, help="calls of each of the sessions")
    options = parser.parse_args()
    chunk_cost()
    asyncio.run(request_cost())
    asyncio.run(first_token())
    asyncio.run(many_sessions(options.sessions, options.rounds))


def chunk_cost(chunks: int = 5000, repeats: int = 7) -> None:
    """CPU of one streamed chunk, arriving alone."""
    event = CHUNK.strip()[6:]

    def whole() -> None:
        splitter, assembler = EventSplitter(), Assembler()
        for _ in range(chunks):
            for data in splitter.feed(CHUNK):
                for _delta in assembler.add(orjson.loads(data)):
                    pass

    def floor() -> None:
        for _ in range(chunks):
            orjson.loads(event)

    ours, alone = (median_cpu(run, repeats) / chunks for run in (whole, floor))
    figure("model: chunk, CPU", ours * 1e6, "µs", floor=alone * 1e6)
    print(f"chunk          {ours * 1e6:7.1f} µs CPU    orjson alone {alone * 1e6:.1f} µs")


def median_cpu(run: Callable[[], None], repeats: int) -> float:
    """Median CPU seconds of a run."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return statistics.median(times)


async def request_cost(requests: int = 200, repeats: int = 5) -> None:
    """CPU of one whole request of 12 chunks: ours, httpx's own transport, a bare socket."""
    with bench_server() as url:
        model = VllmModel(base_url=url)
        plain = httpx.AsyncClient(base_url=url)
        socket = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        for name, call in (
            ("ours", lambda: drain(model)),
            ("httpx's own", lambda: through_httpx(plain)),
            ("bare socket", lambda: through_socket(*socket)),
        ):
            cpu, wall = await median_request(call, requests, repeats)
            figure(f"model: request, CPU, {name}", cpu * 1e3, "ms")
            print(f"request        {cpu * 1e3:7.2f} ms CPU  {wall * 1e3:6.2f} ms wall   {name}")
        await model.aclose()
        await plain.aclose()


async def median_request(
    call: Callable[[], Awaitable[object]], requests: int, repeats: int
) -> tuple[float, float]:
    """Median CPU and wall seconds of a request."""
    cpu, wall = [], []
    for _ in range(repeats):
        started = time.process_time(), time.perf_counter()
        for _ in range(requests):
            await call()
        cpu.append((time.process_time() - started[0]) / requests)
        wall.append((time.perf_counter() - started[1]) / requests)
    return statistics.median(cpu), statistics.median(wall)


async def drain(model: VllmModel) -> Completion:
    """One call of the model."""
    async for part in model.stream(REQUEST):
        if isinstance(part, Completion):
            return part
    raise AssertionError("the call failed")


async def through_httpx(client: httpx.AsyncClient) -> None:
    """The same bytes through httpx's own transport, nothing parsed."""
    body = b'{"messages":[%b]}' % REQUEST.messages[0]
    async with client.stream("POST", "/chat/completions", content=body) as response:
        async for _ in response.aiter_raw():
            pass


async def through_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same bytes over a bare socket, nothing parsed."""
    body = b'{"messages":[%b]}' % REQUEST.messages[0]
    head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
    writer.write(head + body)
    await reader.readuntil(b"\r\n0\r\n\r\n")


async def first_token(calls: int = 50) -> None:
    """From the server's write of a token to the delta in our hands."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b'"}]}' in await reader.read(65536):
            now = b'data: {"choices":[{"delta":{"content":"%f"}}]}\n\n' % time.monotonic()
            end = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(now + end)
            writer.write(head + now)
            await asyncio.sleep(0.01)
            writer.write(end)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    model = VllmModel(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    delays: list[float] = []
    for _ in range(calls):
        delays += [
            time.monotonic() - float(part.text)
            async for part in model.stream(REQUEST)
            if isinstance(part, Delta)
        ]
    await model.aclose()
    server.close()
    await asyncio.sleep(0.01)  # for the server's side to see it
    figure("model: first token", statistics.median(delays) * 1e3, "ms")
    print(
        f"first token    {statistics.median(delays) * 1e3:7.2f} ms from the server's socket "
        f"(worst of {calls}: {max(delays) * 1e3:.2f})"
    )


async def many_sessions(sessions: int, rounds: int) -> None:
    """Many sessions in one process against 20 ms a token, and one alone.

    In step, all send their requests in the same instant, which no real sessions do; the server's
    own work on so many at once counts as loss there.
    """
    with bench_server("--slow", "0.02") as url:
        alone = await run_sessions(url, 1, rounds)
        for how, spread in (("in step", 0.0), ("spread", alone / rounds)):
            started = time.process_time(), time.perf_counter()
            together = await run_sessions(url, sessions, rounds, spread)
            cpu = (time.process_time() - started[0]) / (time.perf_counter() - started[1])
            share = alone / together * 100
            figure(
                f"model: throughput of {sessions} sessions, {how}", share, "%", more_is_better=True
            )
            print(
                f"{sessions:3} sessions   {alone / together:7.1%} of the throughput of so many "
                f"alone, {cpu:.0%} of a core   {how}"
            )


async def run_sessions(url: str, sessions: int, rounds: int, spread: float = 0.0) -> float:
    """Mean seconds that a session takes for its calls, begun within `spread` seconds."""

    models = [VllmModel(base_url=url) for _ in range(sessions)]
    await asyncio.gather(*map(drain, models))  # connected

    async def one(number: int, model: VllmModel) -> float:
        await asyncio.sleep(spread * number / sessions)
        started = time.perf_counter()
        for _ in range(rounds):
            await drain(model)
        return time.perf_counter() - started

    seconds = await asyncio.gather(*(one(number, model) for number, model in enumerate(models)))
    for model in models:
        await model.aclose()
    return statistics.mean(seconds)


@contextmanager
def bench_server(*options: str) -> Iterator[str]:
    """The scripted server in a process of its own; its URL."""
    argv = [sys.executable, "-m", "tests.fakes.scripted_server", "--bench", "--steps", "1000000"]
    with subprocess.Popen([*argv, *options], cwd=REPO, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
