"""Chunks of a streamed chat completion → deltas as they arrive, the whole response at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from recordings.events import CallRequest, Flag, ModelErrorKind, Usage
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.http.sse import BadStream
from sii_cli.model.response_limits import (
    LARGEST_CONTEXT,
    LARGEST_ID,
    MOST_CALLS,
    ResponseTooLarge,
    is_count,
    response_limits,
)
from sii_cli.model.types import Completion, Delta

ENDED = ("stop", "tool_calls")
"""Finish reasons of a response that ended by itself."""

LARGEST_FLOAT = 1e38
MAX_WORD = 1000
"""Characters of a name, an id and the like."""


class _PartialCall:
    def __init__(self) -> None:
        self.call_id = ""
        self.name = ""
        self.arguments: list[str] = []


class Assembler:
    """Reassembles one streamed completion. Shapes are vLLM's (older names included).

    `max_tokens` is what the request allows, `context_length` what the model can hold, `call_stop`
    the token that ends responses with calls; with `logprobs` the request asked for these.
    """

    def __init__(
        self,
        *,
        max_tokens: int | None = None,
        context_length: int | None = None,
        call_stop: int | None = None,
        logprobs: bool = False,
    ) -> None:
        self._call_stop = call_stop
        self._logprobs: list[float] | None = [] if logprobs else None
        self._max_tokens = max_tokens
        self._context_length = context_length
        self.limits = response_limits(max_tokens, context_length)
        self._room = self.limits.characters
        self.finish_reason: str | None = None
        self.generated_ids: list[int] | None = None
        self._response_id: str | None = None
        self._fingerprint: str | None = None
        self._stop_reason: int | str | None = None
        self._prompt_ids: list[int] | None = None
        self._usage: Usage | None = None
        self._reasoning: list[str] = []
        self._content: list[str] = []
        self._calls: dict[int, _PartialCall] = {}

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return "".join(self._reasoning)

    @property
    def content(self) -> str:
        """The content so far."""
        return "".join(self._content)

    def add(self, chunk: Any) -> Iterator[Delta]:
        """Add a parsed chunk; yield the text in it.

        Raises `ModelCallFailed` for an error inside the stream, `BadStream`, `ResponseTooLarge`.
        """
        if not isinstance(chunk, dict):
            raise BadStream("a chunk that is not an object")
        if "error" in chunk:
            raise _server_error(chunk["error"])
        if chunk.get("object") == "error":  # vLLM before 0.10
            raise _server_error(chunk)
        try:
            self._add_envelope(chunk)
            for choice in chunk["choices"]:
                yield from self._add_choice(choice)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadStream(f"a chunk of another shape ({error})") from None

    def _add_envelope(self, chunk: dict[str, Any]) -> None:
        if self._response_id is None and chunk.get("id"):
            self._response_id = _word(chunk["id"])
        if chunk.get("system_fingerprint"):
            self._fingerprint = _word(chunk["system_fingerprint"])
        self._take_prompt(chunk)
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])

    def _take_prompt(self, holder: dict[str, Any]) -> None:
        """Take the prompt's ids, which a chunk has or, in a completion, its choice."""
        if holder.get("prompt_token_ids") is not None:
            self._prompt_ids = _ids(holder["prompt_token_ids"])
            if len(self._prompt_ids) > LARGEST_CONTEXT:
                raise ResponseTooLarge(f"more than {LARGEST_CONTEXT:,} ids of a prompt")

    def _take_ids(self, choice: dict[str, Any]) -> list[int]:
        """Take the generated ids of a choice, and return them."""
        if not choice.get("token_ids"):
            return []
        ids = _ids(choice["token_ids"])
        if self.generated_ids is None:
            self.generated_ids = []
        self.generated_ids += ids
        if len(self.generated_ids) > self.limits.tokens:
            raise ResponseTooLarge(f"more than {self.limits.tokens:,} token ids")
        return ids

    def _take_logprobs(self, choice: dict[str, Any]) -> None:
        """Take the log probabilities of a choice, in the form of a chat or of a completion."""
        found = choice.get("logprobs")
        if self._logprobs is None or not found:
            return
        values = found.get("token_logprobs")
        if values is None:
            values = [one["logprob"] for one in found["content"] or ()]
        self._logprobs += _floats(values)
        if len(self._logprobs) > self.limits.tokens:
            raise ResponseTooLarge(f"more than {self.limits.tokens:,} log probabilities")

    def _take_finish(self, choice: dict[str, Any]) -> None:
        if choice.get("finish_reason"):
            self.finish_reason = _word(choice["finish_reason"])
            stop = choice.get("stop_reason")
            self._stop_reason = _word(stop) if isinstance(stop, str) else _count_or_none(stop)

    def _add_choice(self, choice: dict[str, Any]) -> Iterator[Delta]:
        self._take_ids(choice)
        if self._logprobs is not None:
            self._take_logprobs(choice)
        delta = choice.get("delta") or {}
        reasoning = delta.get("reasoning") or delta.get("reasoning_content")
        if reasoning:
            self._reasoning.append(self._collected(reasoning))
            yield Delta("reasoning", reasoning)
        content = delta.get("content")
        if content:
            self._content.append(self._collected(content))
            yield Delta("content", content)
        for piece in delta.get("tool_calls") or ():
            yield from self._add_call(piece)
        self._take_finish(choice)

    def _add_call(self, piece: dict[str, Any]) -> Iterator[Delta]:
        index = _count(piece["index"])
        call = self._calls.setdefault(index, _PartialCall())
        if len(self._calls) > MOST_CALLS:
            raise ResponseTooLarge(f"more than {MOST_CALLS:,} tool calls")
        if piece.get("id"):
            call.call_id = _word(piece["id"])
        function = piece.get("function") or {}
        name, arguments = function.get("name"), function.get("arguments")
        if name:
            call.name = _word(call.name + _text(name))
            yield Delta("call_name", name, index)
        if arguments:
            call.arguments.append(self._collected(arguments))
            yield Delta("call_arguments", arguments, index)

    def _collected(self, text: Any) -> str:
        """Return a text of the response, as long as it is within its limits."""
        taken = _text(text)
        self._room -= len(taken)
        if self._room < 0:
            raise self._too_long()
        return taken

    def _too_long(self) -> ResponseTooLarge:
        limit = self.limits
        return ResponseTooLarge(
            f"more than {limit.characters:,} characters for {limit.tokens:,} tokens"
        )

    def completion(
        self,
        *,
        attempt: int,
        first_chunk: float | None,
        first_token: float | None,
        total: float,
        chunks: int,
    ) -> Completion:
        """Return the whole response; only after a finish reason has arrived."""
        assert self.finish_reason is not None
        return Completion(
            attempt=attempt,
            response_id=self._response_id,
            reasoning=self.reasoning or None,
            content=self.content or None,
            calls=tuple(self._whole_calls()),
            finish_reason=self.finish_reason,
            stop_reason=self._stop_reason,
            complete=self._is_complete,
            usage=self._counted,
            prompt_ids=self._prompt_ids,
            generated_ids=self.generated_ids,
            logprobs=self._logprobs if self._has_logprobs else None,
            first_chunk=first_chunk,
            first_token=first_token,
            total=total,
            chunks=chunks,
            fingerprint=self._fingerprint,
            flags=tuple(self._flags()),
            text=self._text,
        )

    @property
    def _is_complete(self) -> bool:
        return self.finish_reason in ENDED and not self._ended_at_limit

    @property
    def _counted(self) -> Usage | None:
        return self._usage

    @property
    def _text(self) -> str | None:
        """What the ids spell, where that is known here."""
        return None

    def _whole_calls(self) -> Iterator[CallRequest]:
        """Yield the calls, each with its own id, also where the server gives none or one twice."""
        seen: set[str] = set()
        for index, call in sorted(self._calls.items()):
            call_id = call.call_id
            if not call_id or call_id in seen:
                call_id = f"call-{self._response_id}-{index}"
            seen.add(call_id)
            arguments = "".join(call.arguments)
            yield CallRequest(index=index, call_id=call_id, name=call.name, arguments=arguments)

    @property
    def _has_logprobs(self) -> bool:
        """Whether there is one log probability for each generated id."""
        return bool(self._logprobs) and len(self._logprobs or ()) == len(self.generated_ids or ())

    @property
    def _ended_at_limit(self) -> bool:
        """Whether a limit was reached, whatever the finish reason says: vLLM reports a call that
        `max_tokens` cut off as `tool_calls` when it does not stream."""
        if self._stop_reason is not None or self._usage is None:
            return False
        made = self._usage.completion_tokens
        whole = self._usage.prompt_tokens + made
        return (self._max_tokens is not None and made >= self._max_tokens) or (
            self._context_length is not None and whole >= self._context_length
        )

    @property
    def _ended_as_a_call(self) -> bool:
        """Whether the response ended as one with calls; the server's parser may have found none."""
        stopped = self._call_stop is not None and self._stop_reason == self._call_stop
        return stopped or self.finish_reason == "tool_calls"

    def _flags(self) -> Iterator[Flag]:
        if self.finish_reason in ENDED and self._ended_at_limit:
            yield "ended_at_limit"
        if not self._calls and self._ended_as_a_call:
            yield "call_not_parsed"
        yield from self._flags_of_ids()

    def _flags_of_ids(self) -> Iterator[Flag]:
        if self._logprobs is not None and not self._has_logprobs:
            yield "logprobs_missing"
        if self._usage is None:
            yield "usage_missing"
        if self._prompt_ids is None or self.generated_ids is None:
            yield "ids_missing"
        elif self._usage is not None:
            if len(self.generated_ids) != self._usage.completion_tokens:
                yield "ids_count_differs"
            if len(self._prompt_ids) != self._usage.prompt_tokens:
                yield "prompt_ids_count_differs"


def _usage(usage: Any) -> Usage | None:
    """Return the token counts, or `None` when they are not numbers of tokens."""
    if not isinstance(usage, dict):
        return None
    prompt, made = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    if not (is_count(prompt) and is_count(made)):
        return None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=made,
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return _count_or_none(details.get(name)) if isinstance(details, dict) else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} for text")
    return value


def _word(value: Any) -> str:
    if len(_text(value)) > MAX_WORD:
        raise TypeError(f"a name of more than {MAX_WORD:,} characters")
    return value  # type: ignore[no-any-return]


def _count_or_none(value: Any) -> int | None:
    return value if is_count(value) else None


def _count(value: Any) -> int:
    if not is_count(value):
        raise TypeError("something else for a count")
    return value  # type: ignore[no-any-return]


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise TypeError("something else for token ids")
    if value and not (min(value) >= 0 and max(value) <= LARGEST_ID):
        raise TypeError("numbers beyond any vocabulary for token ids")
    return value


def _floats(values: Any) -> list[float]:
    """Return log probabilities; a 32-bit float must hold each."""
    if not all(type(one) in (int, float) and abs(one) < LARGEST_FLOAT for one in values):
        raise TypeError("something else for log probabilities")
    return list(values)


def _server_error(error: Any) -> ModelCallFailed:
    """Return the failure that a server reports inside its stream."""
    code, said = 500, error
    if isinstance(error, dict):
        said = error.get("message")
        given = error.get("code")
        code = given if isinstance(given, int) and 100 <= given < 600 else 500
    kind: ModelErrorKind = "engine_dead" if code >= 500 else "server_error"
    message = f"The server failed within its answer: {words_in(said)}"
    return ModelCallFailed(kind, message, status=code)


def words_in(value: Any) -> str:
    """Return the beginning of what a server says, which may be any JSON and nested deep."""
    if isinstance(value, str):
        return value[:MAX_WORD]
    try:
        return orjson.dumps(value)[:MAX_WORD].decode("utf-8", "replace")
    except TypeError:
        return "a reason that cannot be read"
