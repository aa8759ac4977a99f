"""The model's half of a step: one model call with the history, recorded as events."""

from __future__ import annotations

from collections import Counter

from recordings.events import Continuity, IdSpan, ModelRequest, ModelResponse
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.generation_check import GenerationCheck
from sii_cli.agent.history import History
from sii_cli.agent.model_client import ModelClient, response_fields
from sii_cli.model.continuity import continuity, opens_round
from sii_cli.model.control_tokens import neutralise_turn
from sii_cli.model.types import ChatRequest, Completion, RequestStarted


class ModelCaller:
    """Calls the model with the history as it stands."""

    def __init__(self, client: ModelClient, channel: EventChannel) -> None:
        self._client = client
        self._channel = channel
        self._new_round = False
        self._compacted = False
        self._check = GenerationCheck(client.model)
        self.breaks: Counter[str] = Counter()
        """How often a prompt did not continue the previous call, by cause."""

    async def call(
        self, step: int, history: History, max_tokens: int | None = None
    ) -> ModelResponse:
        """Return the model's response, added to the history.

        Raises `RoundOver` when the call failed, `ContextOverflow` when the history is too long.
        """
        await self.record_check()
        limits = None if max_tokens is None else {"max_tokens": max_tokens}
        request = self._client.request(history.encoded, limits)

        def describe(started: RequestStarted) -> ModelRequest:
            return self._request_event(step, started, request, history)

        done = await self._client.call(step, request, describe)
        response = self._note_response(step, done, history)
        self._check.begin(step, done)
        return response

    async def record_check(self) -> None:
        """Record what the check of the last response found."""
        found = await self._check.result()
        if found is not None:
            self._channel.note(found, "harness")

    def _request_event(
        self, step: int, started: RequestStarted, request: ChatRequest, history: History
    ) -> ModelRequest:
        self._compacted |= history.replaced
        messages = history.span()
        self._new_round |= opens_round(history.encoded[messages.keep :])
        return ModelRequest(
            step=step,
            attempt=started.attempt,
            request_id=request.request_id,
            base_url=started.base_url,
            messages=messages,
            messages_sha256=history.sha256,
            params=request.params,
            with_tools=request.tools is not None,
        )

    def _note_response(self, step: int, done: Completion, history: History) -> ModelResponse:
        span, continues = self._follow_ids(done)
        calls = list(done.calls)
        sent, found = neutralise_turn(done.reasoning, done.content, calls)
        response = ModelResponse(
            step=step,
            calls=calls,
            prompt_ids=span,
            continuity=continues,
            neutralised=found,
            sent=sent,
            **response_fields(done, flags=["control_tokens_written"] if found else []),
        )
        history.add(self._channel.note(response, "model"))
        return response

    def _follow_ids(self, done: Completion) -> tuple[IdSpan | None, Continuity | None]:
        """Compare the prompt's ids with the previous call's, and keep these for the next one."""
        if done.prompt_ids is None:
            return None, None
        ids = self._client.ids
        span = ids.span(done.prompt_ids)
        continues = continuity(
            len(ids), span.keep, new_round=self._new_round, compacted=self._compacted
        )
        if continues.cause is not None:
            self.breaks[continues.cause] += 1
        self._new_round = self._compacted = False
        ids.advance(done.prompt_ids, done.generated_ids or [])
        return span, continues
