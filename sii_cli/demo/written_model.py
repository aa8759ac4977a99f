"""A model that plays written responses, for a demo without a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import orjson

from recordings.events import CallRequest
from sii_cli.demo import TURNS
from sii_cli.model.errors import ModelCallRefused
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    Delta,
    DeltaKind,
    ModelPart,
    RequestFailed,
    RequestStarted,
    ServedModel,
    TextDifferences,
)

SECONDS_A_WORD = 0.02
OVER = "The demo's written turns are used up. Set SII_BASE_URL to continue with a real model."


@dataclass(frozen=True, slots=True)
class WrittenResponse:
    """What the model is to say at one step; `calls` are (tool, JSON arguments)."""

    reasoning: str
    content: str
    calls: tuple[tuple[str, str], ...]


def demo_responses() -> list[WrittenResponse]:
    """Read the responses shipped with the package."""
    lines = resources.files("sii_cli.demo").joinpath(TURNS).read_bytes().splitlines()
    return [_response(orjson.loads(line)) for line in lines]


def _response(line: dict[str, Any]) -> WrittenResponse:
    calls = ((call["name"], orjson.dumps(call["arguments"]).decode()) for call in line["calls"])
    return WrittenResponse(line["reasoning"], line["content"], tuple(calls))


class WrittenModel:
    """Plays one response a request, word by word, at a readable pace."""

    def __init__(
        self, responses: Sequence[WrittenResponse], seconds_a_word: float = SECONDS_A_WORD
    ) -> None:
        self._responses = iter(responses)
        self._pause = seconds_a_word
        self._step = 0

    async def describe(self) -> ServedModel:
        """Say plainly that nothing is served."""
        return ServedModel(name="demo-turns", base_url="none: written turns, no model")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        """Play the next response."""
        yield RequestStarted(attempt=1)
        response = next(self._responses, None)
        if response is None:
            yield RequestFailed(attempt=1, failure=ModelCallRefused("bad_request", OVER))
            return
        self._step += 1
        async for delta in self._say(response):
            yield delta
        yield Completion(
            attempt=1,
            response_id=None,
            reasoning=response.reasoning,
            content=response.content,
            calls=tuple(
                CallRequest(
                    index=index,
                    call_id=f"demo-{self._step}-{index}",
                    name=name,
                    arguments=arguments,
                )
                for index, (name, arguments) in enumerate(response.calls)
            ),
            finish_reason="tool_calls" if response.calls else "stop",
            stop_reason=None,
            complete=True,
            flags=("ids_missing", "written_turn"),
        )

    async def _say(self, response: WrittenResponse) -> AsyncIterator[Delta]:
        said: list[tuple[DeltaKind, str, int]] = [
            ("reasoning", response.reasoning, 0),
            ("content", response.content, 0),
        ]
        for index, (name, arguments) in enumerate(response.calls):
            said += [("call_name", name, index), ("call_arguments", arguments, index)]
        for kind, text, index in said:
            for word in re.findall(r"\s*\S+\s*", text):
                yield Delta(kind, word, index)
                await asyncio.sleep(self._pause)

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        """Nothing is generated."""
        return None

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        """Say nothing: there is no template."""
        return None

    async def takes_ids(self, ids: list[int]) -> bool:
        """Say no: there is no tokenizer."""
        return False

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        """Say nothing: there is no tokenizer."""
        return None

    async def aclose(self) -> None:
        """Nothing is open."""
