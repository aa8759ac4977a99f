"""Asks the model for a summary of the session: a model call outside of the history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from importlib import resources
from typing import Any

from recordings.conversation.messages import chain_message, encode_message, instruction_message
from recordings.conversation.restore import SentMessage
from recordings.events import (
    Event,
    MessageSpan,
    SummaryRequest,
    SummaryResponse,
)
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.model_client import ModelClient, response_fields
from sii_cli.agent.round_control import RoundOver
from sii_cli.model.types import ChatRequest, Completion, RequestStarted

_FILES = resources.files("sii_cli.agent.context")
INSTRUCTION = _FILES.joinpath("summarise.md").read_text("utf-8").strip()
FRAME = _FILES.joinpath("summary.md").read_text("utf-8").strip()
QUIET = {"enable_thinking": False}
"""Template arguments of a second try: the first one was all reasoning."""
INTERRUPTED = "The model was interrupted while it summed the session up."


def summary_instruction(focus: str) -> str:
    """Return the instruction; `focus` is what the user wants the summary to keep."""
    if not focus:
        return INSTRUCTION
    return f"{INSTRUCTION}\n\nThe human asks that the summary keeps this above all: {focus}"


class Summariser:
    """Asks for summaries with the model and the tools of the session."""

    def __init__(self, client: ModelClient, channel: EventChannel) -> None:
        self._client = client
        self._channel = channel

    async def summarise(
        self,
        step: int,
        messages: Sequence[SentMessage],
        span: MessageSpan,
        max_tokens: int,
        instruction: str = INSTRUCTION,
    ) -> Event:
        """Return the event of a response that holds a summary of the messages.

        `span` are the messages in the terms of a request. Raises `RoundOver` when the call failed
        or gave no summary, `ContextOverflow` when the messages are too long.
        """
        for arguments in ({}, QUIET):
            params = self._params(max_tokens, arguments)
            event = await self._ask(step, messages, span, params, instruction)
            if isinstance(event.data, SummaryResponse) and event.data.summary:
                return event
        raise RoundOver("limit", "the model gave no summary that would make room in the context")

    def _params(self, max_tokens: int, arguments: dict[str, Any]) -> dict[str, Any]:
        params: dict[str, Any] = {"max_tokens": max_tokens}
        if self._client.tools and self._client.tools != b"[]":
            params["tool_choice"] = "none"  # they stay in the prompt, which is cached up to here
        if arguments:
            of_session = self._client.params.get("chat_template_kwargs", {})
            params["chat_template_kwargs"] = of_session | arguments
        return params

    async def _ask(
        self,
        step: int,
        messages: Sequence[SentMessage],
        span: MessageSpan,
        params: dict[str, Any],
        text: str,
    ) -> Event:
        asked = SummaryRequest(
            step=step,
            attempt=1,
            request_id="",
            messages=span,
            instruction=text,
            messages_sha256="",
            params={},
            with_tools=self._client.tools is not None,
        )
        instruction = SentMessage(-1, encode_message(instruction_message(asked)))
        request = self._client.request([*messages, instruction], params)
        sha256 = reduce(chain_message, request.messages, "")

        def describe(started: RequestStarted) -> SummaryRequest:
            sent = {"request_id": request.request_id, "params": request.params}
            where = {"attempt": started.attempt, "base_url": started.base_url}
            return asked.model_copy(update={"messages_sha256": sha256, **sent, **where})

        done = await self._client.call(step, request, describe, live=False, interrupted=INTERRUPTED)
        return self._note_response(step, request, done)

    def _note_response(self, step: int, request: ChatRequest, done: Completion) -> Event:
        text, _ = self._client.neutralisation.apply((done.content or "").strip())
        span = None if done.prompt_ids is None else self._client.ids.span(done.prompt_ids)
        response = SummaryResponse(
            step=step,
            summary=FRAME.replace("{summary}", text) if text else "",
            prompt_ids=span,
            **response_fields(done, self._client.keep_logprobs(request, done)),
        )
        return self._channel.note(response, "compaction")
