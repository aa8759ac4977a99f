"""A model that generates ids by a script; its server renders with a model's own files.

What is sent as messages it renders and reads itself, as a server does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from sii_cli.model.ids.assemble import OF_READER, IdsAssembler
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    IdsPrompt,
    ModelPart,
    RequestStarted,
    ServedModel,
    TextDifferences,
)
from tests.sii_cli.model.ids.offline import Family, Server, generated, reader

STREAMED = 3
"""Ids of a chunk."""


def logprob(token: int) -> float:
    """A log probability that 32 bits hold exactly."""
    return -token / 64


@dataclass(frozen=True)
class Generated:
    """What the model generates for one request: text in which control tokens are spelled."""

    text: str
    unthinking: str | None = None
    """What it generates where the request says not to think; `None`: the same."""
    is_cut_off: bool = False
    misread: bool = False
    """The server reports other ids of the prompt than were sent."""


def _obeying(said: Generated, request: ChatRequest) -> str:
    thinks = (request.params.get("chat_template_kwargs") or {}).get("enable_thinking")
    return said.text if thinks is not False or said.unthinking is None else said.unthinking


class IdsModel:
    """Answers each request with the next of a script; keeps the prompts."""

    def __init__(self, family: Family, *script: str | Generated) -> None:
        self.family = family
        self.script = [Generated(one) if isinstance(one, str) else one for one in script]
        self.prompts: list[list[int]] = []
        self.asked: list[ChatRequest] = []
        self.server = Server(family)
        self.accepts_ids = True
        self.name = "glm-ids"
        self.length: int | None = 131072
        self.on_request: Callable[[], None] = lambda: None

    async def describe(self) -> ServedModel:
        return ServedModel(self.name, "http://ids/v1", self.length)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        said = self.script.pop(0)
        sent = request.ids or await self._rendered(request)
        self.asked.append(request)
        self.prompts.append(sent.ids)
        self.on_request()
        yield RequestStarted(1, "http://ids/v1")
        ids = generated(self.family, _obeying(said, request))
        asks = bool(request.params.get("logprobs"))
        assembler = IdsAssembler(sent, max_tokens=None, context_length=None, logprobs=asks)
        prompt = [*sent.ids, 0] if said.misread else sent.ids
        chunks: list[dict[str, Any]] = [
            {"token_ids": some, "logprobs": {"token_logprobs": list(map(logprob, some))}}
            for some in (ids[at : at + STREAMED] for at in range(0, len(ids), STREAMED))
        ]
        chunks[0]["prompt_token_ids"] = prompt
        finish = "length" if said.is_cut_off else "stop"
        chunks.append({"token_ids": [], "finish_reason": finish, "stop_reason": None})
        for number, choice in enumerate(chunks):
            await asyncio.sleep(0)  # a chunk at a time, so that it can be interrupted
            usage = {"prompt_tokens": len(prompt), "completion_tokens": len(ids)}
            for delta in assembler.add({"id": f"r{number}", "choices": [choice], "usage": usage}):
                yield delta
        yield assembler.completion(
            attempt=1, first_chunk=0.0, first_token=0.0, total=0.0, chunks=len(chunks)
        )

    async def _rendered(self, request: ChatRequest) -> IdsPrompt:
        """What the server makes of messages."""
        ids = self.server.ids(
            [orjson.loads(message) for message in request.messages],
            tools=orjson.loads(request.tools or b"[]"),
            kwargs=request.params.get("chat_template_kwargs"),
        )
        return IdsPrompt(ids, [], [], lambda: reader(self.family))

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        flags = tuple(flag for flag in done.flags if flag in OF_READER)
        return TextDifferences(flags, done.text or "")

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        return await self.server.render(body)

    async def takes_ids(self, ids: list[int]) -> bool:
        return self.accepts_ids

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        return len(self.server.ids([])) if isinstance(what, ChatRequest) else len(what) // 4

    async def aclose(self) -> None:
        pass
