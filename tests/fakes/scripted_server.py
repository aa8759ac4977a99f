"""A model server that plays a script over real HTTP, behaving as vLLM does on the wire.

`python -m tests.fakes.scripted_server --bench --steps N` is the benchmarks' server: see `bench`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

import orjson

from tests.fakes.fake_tokenizer import decode, encode, render
from tests.fakes.http_server import STREAM_HEAD, HttpServer, chunked, write
from tests.fakes.script import (
    BreakAfter,
    CutOff,
    EndsEarly,
    EngineDies,
    Garbage,
    HttpError,
    Scripted,
    SilentAfter,
    Turn,
    error_body,
    pieces,
)

ENGINE_DIED = {
    "error": {
        "message": "EngineCore encountered an issue.",
        "type": "InternalServerError",
        "param": None,
        "code": 500,
    }
}
BLOCK = 128
"""Tokens of a block of the prefix cache."""
OVERFLOW = (
    "This model's maximum context length is {limit} tokens. However, your prompt contains at "
    "least {count} input tokens, which exceeds this limit even without any output tokens. Please "
    "reduce the length of the input prompt. (parameter=input_tokens, value={count})"
)


@dataclass(frozen=True)
class Request:
    """One chat request as it came."""

    headers: dict[str, str]
    body: dict[str, Any]
    prompt_ids: list[int]
    at: float
    """Seconds, as `time.monotonic`."""


class ScriptedServer(HttpServer):
    """Answers each chat request with the next of a script.

    `ids`: whether token ids are given when asked for; `api_key`: the key that `/v1` asks for.
    """

    def __init__(
        self,
        script: Iterable[Scripted] = (),
        *,
        model: str = "glm",
        context_length: int = 131072,
        api_key: str | None = None,
        ids: bool = True,
    ) -> None:
        super().__init__()
        self.model = model
        self.context_length = context_length
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        """Set when a first chat request has come."""
        self._script: Iterator[Scripted] = iter(script)
        self._api_key = api_key
        self.gives_ids = ids
        self.spelled = 0
        """How often it was asked what ids spell."""
        self.slow_to_spell = 0.0
        """Seconds, from the second time on."""
        self.busy_with = 0
        """Requests that `/metrics` tells of."""
        self.cache_used = 0.0
        """Share of the KV cache in use, as `/metrics` tells it."""
        self._get: dict[str, Callable[[], bytes]] = {
            "/v1/models": self._models,
            "/version": lambda: b'{"version":"0.32.0"}',
            "/health": lambda: b"",
            "/metrics": self._metrics,
        }

    async def answer(
        self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        key = headers.get("authorization")
        if path.startswith("/v1") and self._api_key and key != f"Bearer {self._api_key}":
            write_error(writer, HttpError(401))
        elif path in self._get:
            write(writer, 200, self._get[path]())
        elif path == "/tokenize":
            write(writer, 200, orjson.dumps(self._tokenized(orjson.loads(body))))
        elif path == "/detokenize":
            await self._spell(orjson.loads(body)["tokens"], writer)
        elif path == "/v1/chat/completions":
            await self._chat(headers, orjson.loads(body), writer)
        else:
            write_error(writer, HttpError(404, {"detail": "Not Found"}))
        await writer.drain()

    async def _spell(self, ids: list[int], writer: asyncio.StreamWriter) -> None:
        self.spelled += 1
        await asyncio.sleep(self.slow_to_spell if self.spelled > 1 else 0.0)
        write(writer, 200, orjson.dumps({"prompt": decode(ids)}))

    async def _chat(
        self, headers: dict[str, str], body: dict[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        prompt_ids = encode(render(body))
        self.requests.append(Request(headers, body, prompt_ids, time.monotonic()))
        self.asked.set()
        refusal = self._refusal(body, len(prompt_ids))
        if refusal is not None:
            write_error(writer, refusal)
            return
        said = self.next_turn(body)
        if isinstance(said, HttpError):
            write_error(writer, said)
        else:
            request_id = headers.get("x-request-id", str(len(self.requests)))
            await _play(said, Answer(self, body, prompt_ids, request_id), writer)

    def next_turn(self, body: dict[str, Any]) -> Scripted:
        """What a request is answered with: the script's next."""
        return next(self._script, HttpError(400, {"error": "the script is over"}))

    def _refusal(self, body: dict[str, Any], prompt_tokens: int) -> HttpError | None:
        if body.get("model", self.model) != self.model:
            message = f"The model `{body['model']}` does not exist. Valid aliases: {self.model}."
            return _refused(404, "NotFoundError", message, "model")
        if body.get("tools") == []:
            return _refused(400, "BadRequestError", "`tools` must not be an empty array.", "tools")
        if prompt_tokens >= self.context_length:
            message = OVERFLOW.format(limit=self.context_length, count=prompt_tokens)
            return _refused(400, "BadRequestError", message, "input_tokens")
        return None

    def cached(self, prompt_ids: list[int]) -> int:
        """How many ids of a prompt stand at the front of the prompt before, in whole blocks."""
        before = self.requests[-2].prompt_ids if len(self.requests) > 1 else []
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(before, prompt_ids, strict=False))
        return len(list(pairs)) // BLOCK * BLOCK

    def _models(self) -> bytes:
        entry = {"id": self.model, "object": "model", "max_model_len": self.context_length}
        return orjson.dumps({"object": "list", "data": [entry]})

    def _metrics(self) -> bytes:
        return (
            b'vllm:num_requests_running{engine="0",model_name="glm"} %.1f\n'
            b'vllm:num_requests_waiting{engine="0",model_name="glm"} 0.0\n'
            b'vllm:kv_cache_usage_perc{engine="0",model_name="glm"} %f\n'
        ) % (self.busy_with, self.cache_used)

    def _tokenized(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = encode(body["prompt"] if "prompt" in body else render(body))
        return {"count": len(ids), "max_model_len": self.context_length, "tokens": ids}


class Answer:
    """The chunks of one streamed answer."""

    def __init__(
        self, server: ScriptedServer, body: dict[str, Any], prompt_ids: list[int], request_id: str
    ) -> None:
        self.with_ids = bool(body.get("return_token_ids")) and server.gives_ids
        self.with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.thinks = (body.get("chat_template_kwargs") or {}).get("enable_thinking") is not False
        self.request_id = request_id
        room = server.context_length - len(prompt_ids)
        self.limit = min(body.get("max_tokens") or room, room)
        self._prompt_ids = prompt_ids
        self._cached = server.cached(prompt_ids)
        self._envelope = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": server.model,
        }

    def chunks(self, turn: Turn, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The turn, chunk by chunk, cut off at the limit."""
        limit = min(self.limit, limit or self.limit)
        yield self._first()
        made = 0
        for piece in pieces(turn, self.request_id, self.thinks):
            made += len(piece.ids)
            choice = {"index": 0, "delta": piece.delta, "logprobs": None, "finish_reason": None}
            choice["token_ids"] = piece.ids if self.with_ids else None
            if piece.finish:
                choice |= {"finish_reason": piece.finish, "stop_reason": piece.ids[0]}
            elif made >= limit:
                choice |= {"finish_reason": "length", "stop_reason": None}
            yield {**self._envelope, "choices": [choice]}
            if made >= limit:
                break
        if self.with_usage:
            yield self._usage(made)

    def _first(self) -> dict[str, Any]:
        delta = {"role": "assistant", "content": ""}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        ids = self._prompt_ids if self.with_ids else None
        return {**self._envelope, "choices": [choice], "prompt_token_ids": ids}

    def _usage(self, made: int) -> dict[str, Any]:
        prompt = len(self._prompt_ids)
        usage = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + made,
            "completion_tokens": made,
            "prompt_tokens_details": {"cached_tokens": self._cached},
        }
        return {**self._envelope, "choices": [], "usage": usage, "system_fingerprint": "vllm-fake"}


async def _play(said: Scripted, answer: Answer, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    match said:
        case Turn():
            await _stream(answer.chunks(said), said.slow, writer)
        case CutOff(turn, after):
            await _stream(answer.chunks(turn, after), turn.slow, writer)
        case BreakAfter(turn, count):
            await _stream(islice(answer.chunks(turn), count), turn.slow, writer)
            writer.close()
            return
        case SilentAfter(turn, count):
            await _stream(islice(answer.chunks(turn), count), turn.slow, writer)
            await asyncio.Event().wait()
        case EngineDies(turn, count):
            await _stream([*islice(answer.chunks(turn), count), ENGINE_DIED], turn.slow, writer)
        case EndsEarly(turn, count):
            await _stream(islice(answer.chunks(turn), count), turn.slow, writer)
        case Garbage(data):
            writer.write((chunked(data) if data else b"") + b"0\r\n\r\n")
            return
    writer.write(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def _stream(
    chunks: Iterable[dict[str, Any]], slow: float, writer: asyncio.StreamWriter
) -> None:
    for chunk in chunks:
        writer.write(chunked(b"data: " + orjson.dumps(chunk) + b"\n\n"))
        if slow:
            await asyncio.sleep(slow)
    await writer.drain()


def write_error(writer: asyncio.StreamWriter, said: HttpError) -> None:
    """Answer with an error status."""
    retry = [] if said.retry_after is None else [f"retry-after: {said.retry_after}"]
    write(writer, said.status, error_body(said), *retry)


def _refused(status: int, kind: str, message: str, param: str) -> HttpError:
    error = {"message": message, "type": kind, "param": param, "code": status}
    return HttpError(status, {"error": error})


if __name__ == "__main__":
    from tests.fakes.bench_server import main

    main()
