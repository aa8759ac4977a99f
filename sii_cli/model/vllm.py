"""The client of a vLLM server: streamed responses, with retries that repeat nothing."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress
from typing import Any

import aiohttp
import orjson

from sii_cli.model.assemble import Assembler
from sii_cli.model.endpoints import Endpoints
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.failures import failure_of_exception, failure_of_status
from sii_cli.model.forms.form import Form
from sii_cli.model.forms.registry import form_of
from sii_cli.model.http.sse import DONE, EventSplitter
from sii_cli.model.http.transport import Answer
from sii_cli.model.ids.assemble import OF_READER, IdsAssembler
from sii_cli.model.profiles import profile_of
from sii_cli.model.response_limits import MOST_SECONDS, ResponseTooLarge
from sii_cli.model.retry import DEFAULT_WAITS, Retries, Waits
from sii_cli.model.server import Server
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    Delta,
    IdsPrompt,
    ModelPart,
    RequestFailed,
    RequestStarted,
    ServedModel,
    TextDifferences,
)

LAST_BYTES_TIMEOUT = 0.5
MAX_LAST_BYTES = 64 << 10
"""Bytes that may follow the last event of an answer."""
MAX_ERROR_BODY = 64 << 10
ERROR_BODY_TIMEOUT = 30.0
_OF_CHAT = frozenset({"chat_template_kwargs", "tool_choice"})
"""Fields that a completion does not have."""
_TAKE_IDS: set[tuple[str, str | None]] = set()
"""Servers of this process that were found to accept ids, with the model."""
ABORTED = "abort"
"""The finish reason of a response that vLLM gives up, as it does with all when it is stopped."""


class VllmModel:
    """A model behind a vLLM server (or another that speaks its protocol)."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        idle_timeout: float = 120.0,
        retries: int = 5,
        first_timeout: float = 600.0,
        total_timeout: float = MOST_SECONDS,
        waits: Waits = DEFAULT_WAITS,
    ) -> None:
        """`idle_timeout`, `first_timeout`: seconds without an event within an answer, and before it
        (a busy server lets requests queue, and reads long prompts); `total_timeout`: seconds of a
        whole answer. `base_url` may list several equal servers, parted by commas."""
        self._endpoints = Endpoints(base_url.split(","), api_key)
        self._model = model
        self._idle_timeout = idle_timeout
        self._first_timeout = first_timeout
        self._total_timeout = total_timeout
        self._retries = retries
        self._waits = waits
        self._has_answered = False
        self._context_length: int | None = None
        self._served_as = model
        self._call_stop: int | None = None
        """The token that ends responses with calls, where it is known."""
        self._form: Form | None = None
        """The model's form, where it is known and the server says what ids spell."""
        self._strict_calls = True
        """The model was trained on calls as vLLM's strict grammar writes them."""

    async def describe(self) -> ServedModel:
        """Ask what is served: the model that was asked for, or the first one.

        Raises `ModelCallFailed`.
        """
        served = await self._endpoints.place(self._model)
        server, name, entry = served.server, served.name, served.entry
        self._served_as = name
        profile = profile_of(name, str(entry.get("root") or ""))
        ends = list(dict.fromkeys(filter(None, (profile.call_stop, *profile.stop_tokens))))
        ids = await server.token_ids(name, ends)
        self._call_stop = ids.get(profile.call_stop or "")
        self._context_length = served.length
        self._form = None
        self._strict_calls = profile.strict_tool_calls
        form = form_of(profile.tool_call_parser)
        if self._call_stop is not None and form is not None:
            with suppress(ModelCallFailed):
                await server.detokenize(name, [self._call_stop])
                self._form = form
        details: dict[str, Any] = {
            "entry": entry,
            "version": await server.version(),
            "profile": profile.name,
        }
        if len(self._endpoints.base_urls) > 1:
            details["endpoints"] = self._endpoints.base_urls
            details["left_out"] = list(self._endpoints.left_out)
        return ServedModel(
            name=name,
            base_url=server.base_url,
            context_length=served.length,
            stop_token_ids=tuple(ids[text] for text in profile.stop_tokens if text in ids),
            details=details,
            notes=self._endpoints.left_out,
            names=served.names,
        )

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        """Make one model call; see `Model.stream`."""
        body = _body(request) if request.ids is None else self._ids_body(request, request.ids)
        retries = Retries(self._retries, self._waits, time.monotonic())
        unseen = len(self._endpoints.base_urls) - 1  # servers to move to without a wait
        for attempt in itertools.count(1):
            server = self._endpoints.current
            yield RequestStarted(attempt, server.base_url)
            assembler = self._assembler(request)
            try:
                async with aclosing(
                    self._attempt(attempt, server, request, body, assembler)
                ) as parts:
                    async for part in parts:
                        yield part
                self._endpoints.answered()
                return
            except Exception as error:
                named = failure_of_exception(error, server.base_url)
                if named is None:
                    raise
                failure = named.with_traceback(None)  # its frames hold the request
            wait = retries.next(failure, time.monotonic(), known=self._has_answered)
            if wait is not None and await self._endpoints.leave(failure):
                wait, unseen = (0.0 if unseen > 0 else wait), unseen - 1
                moved = f"The session moves to {self._endpoints.current.base_url}."
                failure = failure.with_message(f"{failure} {moved}")
            yield RequestFailed(
                attempt,
                failure,
                wait,
                assembler.reasoning,
                assembler.content,
                assembler.generated_ids,
            )
            if wait is None:
                return
            await asyncio.sleep(wait)

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        """Ask the server what a response's ids spell, and compare; see `Model.text_differences`.

        What was read from the ids is not asked for.
        """
        if done.text is not None:
            return TextDifferences(
                tuple(flag for flag in done.flags if flag in OF_READER), done.text
            )
        form, name = self._form, self._served_as
        if form is None or name is None:
            return None
        if not done.generated_ids or isinstance(done.stop_reason, str):
            return None
        raw = await self._endpoints.current.detokenize(name, done.generated_ids[:-1])
        flags = form.compare(raw, done.reasoning, done.content, done.calls)
        style = form.call_style(raw)
        if style is not None and style.is_forced and not self._strict_calls:
            flags.append("call_form_forced")
        return TextDifferences(tuple(flags), raw)

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        """Ask `/tokenize`; see `Model.render`."""
        return await self._endpoints.current.tokenize(body)

    async def takes_ids(self, ids: list[int]) -> bool:
        """Let one token be generated, once for each server and model; see `Model.takes_ids`."""
        server, name = self._endpoints.current, self._served_as
        if (server.base_url, name) in _TAKE_IDS:
            return True
        body = {"model": name, "prompt": ids, "max_tokens": 1, "return_token_ids": True}
        try:
            answer = await server.ask("POST", "/v1/completions", body)
            [choice] = answer["choices"]
            takes = choice["prompt_token_ids"] == ids and len(choice["token_ids"]) == 1
        except (ModelCallFailed, LookupError, TypeError, ValueError):
            return False
        if takes:
            _TAKE_IDS.add((server.base_url, name))
        return takes

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        """Ask `/tokenize`; see `Model.count_tokens`."""
        body = _text_body(self._served_as, what) if isinstance(what, str) else _prompt_body(what)
        ids = await self._endpoints.current.tokenize(body)
        return None if ids is None else len(ids)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoints.aclose()

    def _assembler(self, request: ChatRequest) -> Assembler:
        params, length = request.params, self._context_length
        max_tokens, logprobs = params.get("max_tokens"), bool(params.get("logprobs"))
        if request.ids is not None:
            return IdsAssembler(
                request.ids, max_tokens=max_tokens, context_length=length, logprobs=logprobs
            )
        return Assembler(
            max_tokens=max_tokens,
            context_length=length,
            call_stop=self._call_stop,
            logprobs=logprobs,
        )

    def _ids_body(self, request: ChatRequest, prompt: IdsPrompt) -> bytes:
        """Return the body of a completion; without `max_tokens` it would have 16 tokens."""
        params = {name: one for name, one in request.params.items() if name not in _OF_CHAT}
        if "max_tokens" not in params and self._context_length is not None:
            params["max_tokens"] = max(1, self._context_length - len(prompt.ids))
        if params.get("logprobs"):
            params["logprobs"] = 0  # a number here: of how many other tokens beside the generated
        params["stop_token_ids"] = prompt.stops
        return orjson.dumps({**params, "prompt": prompt.ids, "add_special_tokens": False})

    async def _attempt(
        self,
        attempt: int,
        server: Server,
        request: ChatRequest,
        body: bytes,
        assembler: Assembler,
    ) -> AsyncGenerator[Delta | Completion, None]:
        sent = time.monotonic()
        first_chunk: float | None = None
        first_token: float | None = None
        chunks = 0
        limits = assembler.limits
        splitter = EventSplitter(limits.line)
        silence = _Silence()
        answer = await self._send(server, body, request, limits.stream)
        done = False
        with closing(answer):
            while not done:
                idle = self._first_timeout if first_token is None else self._idle_timeout
                data = await silence.read(answer, idle)
                if not data:
                    break
                if time.monotonic() - sent > self._total_timeout:
                    raise ResponseTooLarge(
                        f"an answer without an end ({self._total_timeout:,.0f} s)"
                    )
                for event in splitter.feed(data):
                    silence.end()
                    if event == DONE:
                        done = True
                        break
                    chunks += 1
                    if chunks > limits.events:
                        raise ResponseTooLarge(f"more than {limits.events:,} events")
                    first_chunk = first_chunk or time.monotonic() - sent
                    for delta in assembler.add(orjson.loads(event)):
                        first_token = first_token or time.monotonic() - sent
                        yield delta
            if assembler.finish_reason in (None, ABORTED):
                raise ModelCallFailed("no_finish", "The answer ended before the turn did.")
            await _read_to_the_end(answer)
        yield assembler.completion(
            attempt=attempt,
            first_chunk=first_chunk,
            first_token=first_token,
            total=time.monotonic() - sent,
            chunks=chunks,
        )

    async def _send(self, server: Server, body: bytes, request: ChatRequest, limit: int) -> Answer:
        """Return the answer, its body still to be read. Raises `ModelCallFailed`."""
        async with asyncio.timeout(self._first_timeout):
            path = "chat/completions" if request.ids is None else "completions"
            answer = await server.post(path, body, request.request_id, limit)
        self._has_answered = True
        if answer.status != 200:
            model = str(request.params.get("model"))
            said = await _error_body(answer)
            raise failure_of_status(answer.status, said, answer.headers, model)
        return answer


class _Silence:
    """The time waited for the next event of an answer: pieces of one and comments do not end it."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._came = False

    def end(self) -> None:
        """A whole event has come."""
        self._waited, self._came = 0.0, False

    async def read(self, answer: Answer, most: float) -> bytes:
        """Return the next bytes, or nothing at the end.

        Raises `TimeoutError` after `most` seconds without any, `ModelCallFailed` without an event.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, most - self._waited)):
                data = await answer.read()
        except TimeoutError:
            if not self._came:
                raise
            said = f"The server has sent no whole event for {most:,.0f} s, only pieces of one."
            raise ModelCallFailed("idle", said) from None
        self._waited += time.monotonic() - began
        self._came = True
        return data


async def _error_body(answer: Answer) -> bytes:
    """Return the body of an error, as far as it arrives."""
    body = b""
    with closing(answer), suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(ERROR_BODY_TIMEOUT):
            while len(body) < MAX_ERROR_BODY and (data := await answer.read()):
                body += data
    return body[:MAX_ERROR_BODY]


async def _read_to_the_end(answer: Answer) -> None:
    """Read what follows the last event, so that the connection can be used again.

    The response is whole: nothing that fails from here on may lose it.
    """
    left = MAX_LAST_BYTES
    with suppress(TimeoutError, aiohttp.ClientError, ResponseTooLarge):
        async with asyncio.timeout(LAST_BYTES_TIMEOUT):
            while left > 0 and (data := await answer.read()):
                left -= len(data)


def _body(request: ChatRequest) -> bytes:
    """Join the pieces of the body; nothing that was encoded is encoded again."""
    head = orjson.dumps(request.params)[:-1]
    tools = b',"tools":' + request.tools if request.tools and request.tools != b"[]" else b""
    pieces = list(request.messages) or [b""]
    pieces[0] = b"".join((head, tools, b',"messages":[', pieces[0]))
    pieces[-1] += b"]}"
    return b",".join(pieces)


def _text_body(model: str | None, text: str) -> dict[str, Any]:
    return {"model": model, "prompt": text, "add_special_tokens": False}


def _prompt_body(request: ChatRequest) -> dict[str, Any]:
    """Return the body that makes `/tokenize` render the prompt of a request.

    `/tokenize` knows reasoning by its newer name alone (vLLM 0.32), a request by both.
    """
    messages = [orjson.loads(message) for message in request.messages]
    for message in messages:
        if "reasoning_content" in message:
            message["reasoning"] = message["reasoning_content"]
    body: dict[str, Any] = {"model": request.params.get("model"), "messages": messages}
    if request.tools and request.tools != b"[]":
        body["tools"] = orjson.loads(request.tools)
    if "chat_template_kwargs" in request.params:
        body["chat_template_kwargs"] = request.params["chat_template_kwargs"]
    return body
