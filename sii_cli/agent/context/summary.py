"""Asking the model for a summary of the session: a call of its own, outside the history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from importlib import resources
from typing import Any
from uuid import uuid4

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import chain_message, encode_message, instruction_message
from recordings.conversation.restore import Message
from recordings.events import (
    Event,
    MessageSpan,
    ModelError,
    SummaryRequest,
    SummaryResponse,
)
from sii_cli.agent.flow import RoundOver
from sii_cli.agent.model_events import completion_fields, give_up, model_error
from sii_cli.agent.wire import Wire
from sii_cli.model.control_tokens import neutralise
from sii_cli.model.types import ChatRequest, Completion, Failed, Model, Started

_FILES = resources.files("sii_cli.agent.context")
INSTRUCTION = _FILES.joinpath("summarise.md").read_text("utf-8").strip()
FRAME = _FILES.joinpath("summary.md").read_text("utf-8").strip()
QUIET = {"enable_thinking": False}
"""Template arguments of a second try: the first one was thought away."""


class Summariser:
    """Asks for summaries with the model and the tools of the session."""

    def __init__(
        self,
        *,
        model: Model,
        tools: bytes | None,
        params: dict[str, Any],
        wire: Wire,
        ids: IdTrail,
    ) -> None:
        self._model = model
        self._tools = tools
        self._params = params
        self._wire = wire
        self._ids = ids

    async def summarise(
        self, step: int, messages: Sequence[Message], span: MessageSpan, max_tokens: int
    ) -> Event:
        """Return the event of a response that holds a summary of the messages.

        `span` are the messages in the terms of a request. Raises `RoundOver` when the call was
        given up or gave no summary, `ContextOverflow` when the messages are too long.
        """
        for arguments in ({}, QUIET):
            event = await self._ask(step, messages, span, self._with(max_tokens, arguments))
            if isinstance(event.data, SummaryResponse) and event.data.summary:
                return event
        raise RoundOver("limit", "the model gave no summary that would make room in the context")

    def _with(self, max_tokens: int, arguments: dict[str, Any]) -> dict[str, Any]:
        params = self._params | {"max_tokens": max_tokens}
        if self._tools and self._tools != b"[]":
            params["tool_choice"] = "none"  # they stay in the prompt, which is cached up to here
        if arguments:
            params["chat_template_kwargs"] = params.get("chat_template_kwargs", {}) | arguments
        return params

    async def _ask(
        self, step: int, messages: Sequence[Message], span: MessageSpan, params: dict[str, Any]
    ) -> Event:
        request = SummaryRequest(
            step=step,
            attempt=1,
            request_id=str(uuid4()),
            messages=span,
            instruction=INSTRUCTION,
            messages_sha256="",
            params=params,
            with_tools=self._tools is not None,
        )
        encoded = [message.encoded for message in messages]
        encoded.append(encode_message(instruction_message(request)))
        sha256 = ""
        for one in encoded:
            sha256 = chain_message(sha256, one)
        request = request.model_copy(update={"messages_sha256": sha256})
        sent = ChatRequest(request.request_id, encoded, self._tools, params)
        try:
            async with aclosing(self._model.stream(sent)) as parts:
                async for part in parts:
                    match part:
                        case Started():
                            told = {"attempt": part.attempt, "base_url": part.base_url}
                            self._wire.note(request.model_copy(update=told), "harness")
                        case Failed():
                            self._wire.note(model_error(step, part), "harness")
                            give_up(part)
                        case Completion():
                            return self._note_response(step, part)
        except asyncio.CancelledError:
            self._wire.note(_interrupted(step), "harness")
            raise
        raise AssertionError("a model's stream ends with a completion or a final failure")

    def _note_response(self, step: int, done: Completion) -> Event:
        text, _ = neutralise((done.content or "").strip())
        span = None if done.prompt_ids is None else self._ids.span(done.prompt_ids)
        response = SummaryResponse(
            step=step,
            summary=FRAME.replace("{summary}", text) if text else "",
            prompt_ids=span,
            **completion_fields(done),
        )
        return self._wire.note(response, "compaction")


def _interrupted(step: int) -> ModelError:
    return ModelError(
        step=step,
        attempt=1,
        kind="interrupted",
        message="The model was interrupted while it summed the session up.",
    )
