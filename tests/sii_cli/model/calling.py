"""How the tests of the model layer call a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from sii_cli.model.retry import Waits
from sii_cli.model.types import STREAMING, ChatRequest, Completion, Delta, ModelPart, RequestFailed
from sii_cli.model.vllm import VllmModel

SHORT = Waits(first=0.001, longest=0.01, longest_asked=0.2, away=5.0)
QUESTION = {"role": "user", "content": "What is in /workspace?"}
BASH = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}


def ask(*messages: dict[str, Any], tools: bool = False, **params: Any) -> ChatRequest:
    """A request as the loop makes it."""
    return ChatRequest(
        request_id="sii-1",
        messages=[orjson.dumps(message) for message in messages or (QUESTION,)],
        tools=orjson.dumps([BASH]) if tools else None,
        params={"model": "glm", **STREAMING, **params},
    )


@asynccontextmanager
async def client(base_url: str, **settings: Any) -> AsyncIterator[VllmModel]:
    """A client whose waits are short."""
    model = VllmModel(base_url=base_url, **{"waits": SHORT, **settings})
    try:
        yield model
    finally:
        await model.aclose()


async def parts_of(model: VllmModel, request: ChatRequest | None = None) -> list[ModelPart]:
    """Everything that one call yields."""
    return [part async for part in model.stream(request or ask())]


def completion_of(parts: list[ModelPart]) -> Completion:
    """The completion that a call ended with."""
    assert isinstance(parts[-1], Completion), parts[-1]
    return parts[-1]


def failures_of(parts: list[ModelPart]) -> list[RequestFailed]:
    """The attempts that failed."""
    return [part for part in parts if isinstance(part, RequestFailed)]


def text_of(parts: list[ModelPart], kind: str) -> str:
    """The streamed text of one kind, over all attempts."""
    return "".join(part.text for part in parts if isinstance(part, Delta) and part.kind == kind)
