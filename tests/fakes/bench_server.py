"""The benchmarks' server: answers at once, and costs as little as it can.

Step k is answered with one `bash` call `true k`, the step after the last with an answer. Bodies
are read and never parsed, so that what grows is the client's doing. With `--ids`, prompt ids are
given, each prompt an extension of the last. With `--many`, the step is the number of the model's
messages in the body, so that any number of sessions may ask; with `--tokens N`, a turn has N.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable

from tests.fakes.http_server import STREAM_HEAD, HttpServer, chunked, write

NEW_IDS = 40
"""Ids of a new observation in every prompt."""


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
        events = [self._first(), *(self._chunk(delta) for delta in deltas)]
        events += [self._chunk(b"{}", finish), self._usage(len(deltas) + 1), b"[DONE]"]
        answer = [chunked(b"data: " + event + b"\n\n") for event in events]
        if self._slow:
            await self._write_slowly(answer, writer)
        else:
            writer.write(STREAM_HEAD + b"".join(answer) + b"0\r\n\r\n")

    async def _write_slowly(self, body: list[bytes], writer: asyncio.StreamWriter) -> None:
        """As a GPU would: on a schedule that no client delays."""
        writer.write(STREAM_HEAD)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for piece in body:
            due += self._slow
            await asyncio.sleep(due - loop.time())
            writer.write(piece)
        writer.write(b"0\r\n\r\n")

    def _first(self) -> bytes:
        ids = b"[%b]" % self._ids if self._ids is not None else b"null"
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
