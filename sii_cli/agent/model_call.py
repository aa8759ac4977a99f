"""The model's half of a step: one call of the model, told as events."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from recordings.conversation.ids import IdTrail
from recordings.events import (
    CallRequest,
    Continuity,
    IdSpan,
    LiveDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
)
from sii_cli.agent.generation_check import GenerationCheck
from sii_cli.agent.history import History
from sii_cli.agent.model_events import completion_fields, give_up, model_error
from sii_cli.agent.wire import Wire
from sii_cli.model.continuity import continuity, opens_round
from sii_cli.model.own_words import defused_turn
from sii_cli.model.types import (
    Call,
    ChatRequest,
    Completion,
    Delta,
    Failed,
    Model,
    Started,
)


class ModelCaller:
    """Calls the model with the history as it stands."""

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
        self._new_round = False
        self._compacted = False
        self._check = GenerationCheck(model)
        self.breaks: Counter[str] = Counter()
        """How often a prompt did not extend what stood before, by cause."""

    async def call(
        self, step: int, history: History, max_tokens: int | None = None
    ) -> ModelResponse:
        """Return the model's response, added to the history.

        Raises `RoundOver` when the call was given up, `ContextOverflow` when the history is too
        long.
        """
        await self.settle()
        request = ChatRequest(
            request_id=str(uuid4()),
            messages=history.encoded,
            tools=self._tools,
            params=self._params
            if max_tokens is None
            else self._params | {"max_tokens": max_tokens},
        )
        heard = _Heard()
        done: Completion | None = None
        try:
            async with aclosing(self._model.stream(request)) as parts:
                async for part in parts:
                    match part:
                        case Delta():
                            heard.add(part)
                            self._wire.live(LiveDelta(step, part.kind, part.text, part.index))
                        case Started():
                            heard = _Heard(part.attempt)
                            self._note_request(step, part, request, history)
                        case Failed():
                            self._wire.note(model_error(step, part), "harness")
                            give_up(part)
                            heard = _Heard(part.attempt)  # what had come is noted
                        case Completion():
                            done = part
                            break
        except asyncio.CancelledError:
            self._wire.note(heard.interrupted(step), "harness")
            raise
        assert done is not None, "a model's stream ends with a completion or a final failure"
        response = self._note_completion(step, done, history)
        self._check.begin(step, done)
        return response

    async def settle(self) -> None:
        """Record what the check of the last response found."""
        found = await self._check.settle()
        if found is not None:
            self._wire.note(found, "harness")

    def _note_request(
        self, step: int, started: Started, request: ChatRequest, history: History
    ) -> None:
        self._compacted |= history.replaced
        messages = history.span()
        self._new_round |= opens_round(history.encoded[messages.keep :])
        self._wire.note(
            ModelRequest(
                step=step,
                attempt=started.attempt,
                request_id=request.request_id,
                base_url=started.base_url,
                messages=messages,
                messages_sha256=history.sha256,
                params=request.params,
                with_tools=request.tools is not None,
            ),
            "harness",
        )

    def _note_completion(self, step: int, done: Completion, history: History) -> ModelResponse:
        span, continues = self._follow_ids(done)
        calls = [_call_request(call) for call in done.calls]
        sent, found = defused_turn(done.reasoning, done.content, calls)
        response = ModelResponse(
            step=step,
            calls=calls,
            prompt_ids=span,
            continuity=continues,
            neutralised=found,
            sent=sent,
            **completion_fields(done, flags=["control_tokens_written"] if found else []),
        )
        history.add(self._wire.note(response, "model"))
        return response

    def _follow_ids(self, done: Completion) -> tuple[IdSpan | None, Continuity | None]:
        """Compare the prompt's ids with those of the call before, and stand on these from now."""
        if done.prompt_ids is None:
            return None, None
        span = self._ids.span(done.prompt_ids)
        continues = continuity(
            len(self._ids), span.keep, new_round=self._new_round, compacted=self._compacted
        )
        if continues.cause is not None:
            self.breaks[continues.cause] += 1
        self._new_round = self._compacted = False
        self._ids.advance(done.prompt_ids, done.generated_ids or [])
        return span, continues


class _Heard:
    """What has arrived of an attempt, kept in case the human interrupts it."""

    def __init__(self, attempt: int = 1) -> None:
        self._attempt = attempt
        self._reasoning: list[str] = []
        self._content: list[str] = []

    def add(self, delta: Delta) -> None:
        if delta.kind == "reasoning":
            self._reasoning.append(delta.text)
        elif delta.kind == "content":
            self._content.append(delta.text)

    def interrupted(self, step: int) -> ModelError:
        return ModelError(
            step=step,
            attempt=self._attempt,
            kind="interrupted",
            message="The model was interrupted.",
            reasoning="".join(self._reasoning),
            content="".join(self._content),
        )


def _call_request(call: Call) -> CallRequest:
    return CallRequest(
        index=call.index, call_id=call.call_id, name=call.name, arguments=call.arguments
    )
