"""A model that plays a script of parts, for tests of what is built on the `Model` protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from recordings.events import CallRequest, ModelErrorKind, Usage
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused, PromptTooLong
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    Delta,
    ModelPart,
    RequestFailed,
    RequestStarted,
    ServedModel,
    TextDifferences,
)

Script = list[ModelPart | float]
"""What one request is answered with; a number is a pause in seconds."""


def answer(content: str, *, reasoning: str = "") -> Script:
    """A whole turn that calls nothing."""
    return [RequestStarted(1), Delta("content", content), _completion(content, reasoning, ())]


def calls(*wanted: tuple[str, str], content: str = "") -> Script:
    """A whole turn that makes calls: (tool, arguments as JSON)."""
    made = _calls(wanted)
    return [RequestStarted(1), _completion(content, "", made)]


def cut_off(content: str, *wanted: tuple[str, str]) -> Script:
    """A turn that ran into `max_tokens`, perhaps inside a call."""
    made = _calls(wanted)
    return [RequestStarted(1), _completion(content, "", made, finish="length")]


def fails(kind: ModelErrorKind, *, retry_in: float | None = None) -> RequestFailed:
    """A failed request; with `retry_in` another one follows."""
    message = f"It failed: {kind}."
    failure = ModelCallFailed(kind, message)
    if kind == "overflow":
        failure = PromptTooLong(message)
    elif kind == "unauthorized":
        failure = ModelCallRefused(kind, message)
    return RequestFailed(1, failure, retry_in=retry_in, content="half of it")


def _calls(wanted: Sequence[tuple[str, str]]) -> tuple[CallRequest, ...]:
    return tuple(
        CallRequest(index=index, call_id=f"call-{index}", name=name, arguments=arguments)
        for index, (name, arguments) in enumerate(wanted)
    )


def _completion(
    content: str, reasoning: str, made: tuple[CallRequest, ...], finish: str | None = None
) -> Completion:
    return Completion(
        attempt=1,
        response_id="r",
        reasoning=reasoning,
        content=content,
        calls=made,
        finish_reason=finish or ("tool_calls" if made else "stop"),
        stop_reason=None if finish == "length" else 7,
        complete=finish != "length",
        usage=Usage(prompt_tokens=10, completion_tokens=5),
    )


class ScriptedModel:
    """Answers each request with the next script; keeps what it was sent."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[list[bytes]] = []
        self.closed = 0

    async def describe(self) -> ServedModel:
        return ServedModel("scripted", "http://scripted/v1", 131072)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        self.requests.append(list(request.messages))
        try:
            for part in self.scripts.pop(0):
                if isinstance(part, float | int):
                    await asyncio.sleep(part)
                else:
                    yield part
        finally:
            self.closed += 1

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        return None

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        return None

    async def takes_ids(self, ids: list[int]) -> bool:
        return False

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        return None

    async def aclose(self) -> None:
        pass
