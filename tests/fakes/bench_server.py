"""The benchmarks' server: answers at once, and costs as little as it can.

Step k is answered with one `bash` call `true k`, the step after the last with an answer. Bodies
are read and never parsed, so that what grows is the client's doing. With `--ids`, prompt ids are
given, each prompt an extension of the last. With `--many`, the step is the number of the model's
messages in the body, so that any number of sessions may ask; with `--tokens N`, a turn has N.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import sys
from collections.abc import Awaitable, Iterator

from tests.fakes.http_server import STREAM_HEAD, HttpServer, chunked, write

NEW_IDS = 40
"""Ids of a new observation in every prompt."""
TICK = 0.004
"""Seconds between looks at which slow streams are due: waking for each would cost the most."""


class BenchServer(HttpServer):
    """See the module. `slow`: seconds a token."""

    def __init__(
        self,
        steps: int,
        *,
        ids: bool = False,
        slow: float = 0.0,
        many: bool = False,
        tokens: int = 0,
    ) -> None:
        super().__init__()
        self._many = many
        self._thought = [b'{"reasoning":" word"}'] * tokens
        self._steps = steps
        self._slow = slow
        self._metronome = _Metronome(slow)
        self._step = 0
        self._ids = bytearray(b"1,2,3") if ids else None
        self._prompt_tokens = 3

    async def answer(
        self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        if path == "/v1/models":
            write(writer, 200, b'{"data":[{"id":"glm","max_model_len":1000000000}]}')
        elif path == "/version":
            write(writer, 200, b'{"version":"0.32.0"}')
        elif path == "/v1/chat/completions":
            await self._chat(body, writer)
        else:
            write(writer, 200, b"")
        await writer.drain()

    async def respond(self, reader: asyncio.StreamReader, answering: Awaitable[None]) -> None:
        await answering

    async def _chat(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        self._step = body.count(b'"role":"assistant"') + 1 if self._many else self._step + 1
        k = self._step
        if k > self._steps:
            self._step = 0
            finish, deltas = "stop", [b'{"content":"Done."}']
        else:
            finish, deltas = "tool_calls", [*self._thought, *_call(k)]
        tokens = [_event(self._chunk(delta)) for delta in deltas]
        ends = (self._chunk(b"{}", finish), self._usage(len(deltas) + 1), b"[DONE]")
        tokens[0] = _event(self._first()) + tokens[0]
        tokens[-1] += b"".join(map(_event, ends)) + b"0\r\n\r\n"
        if self._slow:
            writer.write(STREAM_HEAD)
            await self._metronome.play(tokens, writer)
        else:
            writer.write(STREAM_HEAD + b"".join(tokens))

    def _first(self) -> bytes:
        ids = b"[%b]" % bytes(self._ids) if self._ids is not None else b"null"
        return (
            b'{"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1,"model":"glm",'
            b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,'
            b'"finish_reason":null}],"prompt_token_ids":%b}' % (self._step, ids)
        )

    def _chunk(self, delta: bytes, finish: str | None = None) -> bytes:
        ids = b"null"
        if self._ids is not None:
            ids = b"[7]"
            self._ids += b",7"
        end = b"null"
        if finish is not None:
            end = b'"%b","stop_reason":7' % finish.encode()
        return (
            b'{"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1,"model":"glm",'
            b'"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b,'
            b'"token_ids":%b}]}' % (self._step, delta, end, ids)
        )

    def _usage(self, made: int) -> bytes:
        prompt = self._prompt_tokens
        self._prompt_tokens += made + NEW_IDS
        if self._ids is not None:
            self._ids += b",5" * NEW_IDS
        return (
            b'{"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1,"model":"glm",'
            b'"choices":[],"usage":{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}}'
            % (self._step, prompt, prompt + made, made)
        )


class _Metronome:
    """Writes streams as a GPU would: each a piece at a time, on a schedule that no client delays.

    One task for all of them, so that hundreds of streams cost the machine little.
    """

    def __init__(self, seconds: float) -> None:
        """`seconds`: from a piece to the next."""
        self._seconds = seconds
        self._due: list[tuple[float, int, _Stream]] = []
        self._count = itertools.count()
        self._running: asyncio.Task[None] | None = None

    async def play(self, pieces: list[bytes], writer: asyncio.StreamWriter) -> None:
        """Write a stream to its end."""
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        self._push(loop.time() + self._seconds, (iter(pieces), writer.transport, ended))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        await ended

    def _push(self, due: float, stream: _Stream) -> None:
        heapq.heappush(self._due, (due, next(self._count), stream))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            now = loop.time()
            while self._due and self._due[0][0] <= now:
                due, _, (pieces, transport, ended) = heapq.heappop(self._due)
                piece = next(pieces, None)
                if piece is not None and not transport.is_closing():
                    transport.write(piece)
                    self._push(due + self._seconds, (pieces, transport, ended))
                elif not ended.done():
                    ended.set_result(None)
            await asyncio.sleep(TICK)


_Stream = tuple[Iterator[bytes], asyncio.WriteTransport, asyncio.Future[None]]


def _event(data: bytes) -> bytes:
    return chunked(b"data: " + data + b"\n\n")


def _call(k: int) -> list[bytes]:
    """The deltas of a short thought and one call."""
    thought = [b'{"reasoning":"%b"}' % word for word in (b"I", b" run", b" it", b".")]
    first = (
        b'{"tool_calls":[{"id":"call-%d","type":"function","index":0,"function":{"name":"bash"}}]}'
    )
    more = b'{"tool_calls":[{"index":0,"function":{"arguments":"%b"}}]}'
    arguments = [b'{\\"command\\": \\"', b"true", b" %d" % k, b'\\"}']
    return [*thought, first % k, *(more % piece for piece in arguments)]


def main() -> None:
    """Serve until killed; the first line printed is the URL."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.scripted_server")
    parser.add_argument("--bench", action="store_true", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--ids", action="store_true", help="give growing prompt ids")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds a token")
    parser.add_argument("--many", action="store_true", help="serve many sessions at once")
    parser.add_argument("--tokens", type=int, default=0, help="more tokens of thought a turn")
    options = parser.parse_args()
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    server = BenchServer(
        options.steps,
        ids=options.ids,
        slow=options.slow,
        many=options.many,
        tokens=options.tokens,
    )
    server.port = options.port
    async with server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
