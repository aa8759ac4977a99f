"""The model's half of a step: one model call with the history, recorded as events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from recordings.conversation.restore import Conversation, SentMessage
from recordings.events import (
    BreakCause,
    Continuity,
    Event,
    Flag,
    IdSpan,
    ModelRequest,
    ModelResponse,
    Neutralised,
    SentTurn,
)
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.generation_check import GenerationCheck
from sii_cli.agent.history import History
from sii_cli.agent.model_client import ModelClient, response_fields
from sii_cli.model.continuity import continuity, is_of_user
from sii_cli.model.control_tokens import has_marks, neutralise_turn
from sii_cli.model.types import ChatRequest, Completion, RequestStarted

_ORDER: tuple[BreakCause, ...] = (
    *("compaction", "model", "new_round", "steer", "taken_back", "redaction"),
)
"""Causes of a break; the first that came is named."""
_DRIFT: BreakCause = "drift"


class ModelCaller:
    """Calls the model with the history as it stands."""

    def __init__(
        self,
        client: ModelClient,
        channel: EventChannel,
        restored: Conversation | None = None,
        *,
        other_model: bool = False,
    ) -> None:
        """`other_model`: the session that is continued had another one."""
        self._client = client
        self._channel = channel
        self._came: set[BreakCause] = {"model"} if other_model else set()
        """What came since the last response and may break the prompt."""
        self._may_change_stop = False
        """Whether the last id of the previous call is a stop token that another may replace."""
        if restored is not None:
            self._follow(restored.last_complete, restored.last_redacted)
            self._came |= restored.came | self._user_came(restored.users)
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
        request = self._client.request(history.messages, limits)

        def describe(started: RequestStarted) -> ModelRequest:
            return self._request_event(step, started, request, history)

        done = await self._client.call(step, request, describe)
        response = self._note_response(step, request, done, history)
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
        if history.replaced:
            self._came.add("compaction")
        messages = history.span()
        self._came |= self._user_came(history.messages[messages.keep :])
        return ModelRequest(
            step=step,
            attempt=started.attempt,
            request_id=request.request_id,
            base_url=started.base_url,
            messages=messages,
            messages_sha256=history.sha256,
            params=request.params,
            with_tools=request.tools is not None,
            wire=None if request.ids is None else "ids",
        )

    def _user_came(self, new: Sequence[SentMessage]) -> set[BreakCause]:
        """Return what the user's messages among new ones may break."""
        prompts = self._client.prompts
        users = [message for message in new if is_of_user(message.encoded)]
        if not users or (prompts is not None and prompts.retain == "all"):
            return set()
        if all(message.steers for message in users):
            return set() if prompts is not None and prompts.retain == "loop" else {"steer"}
        return {"new_round"}

    def _note_response(
        self, step: int, request: ChatRequest, done: Completion, history: History
    ) -> ModelResponse:
        span, continues = self._compare_ids(done)
        calls = list(done.calls)
        sent: SentTurn | None = None
        found: list[Neutralised] = []
        flags: list[Flag] = []
        if request.ids is None:
            sent, found = neutralise_turn(done.reasoning, done.content, calls)
            flags += ["control_tokens_written"] if found else []
            written = (done.reasoning, done.content, *(call.arguments for call in calls))
            flags += ["mark_copied"] if has_marks(*written) else []
        response = ModelResponse(
            step=step,
            calls=calls,
            prompt_ids=span,
            continuity=continues,
            opening_ids=None if request.ids is None else request.ids.opening,
            neutralised=found,
            sent=sent,
            **response_fields(done, self._client.keep_logprobs(request, done), flags),
        )
        event = self._channel.note(response, "model")
        history.add(event)
        if span is not None:
            self._advance(done, event)
        return response

    def _compare_ids(self, done: Completion) -> tuple[IdSpan | None, Continuity | None]:
        """Compare the prompt's ids with the previous call's."""
        if done.prompt_ids is None:
            return None, None
        ids = self._client.ids
        span = ids.span(done.prompt_ids)
        cause = next((one for one in _ORDER if one in self._came), _DRIFT)
        continues = continuity(
            len(ids), span.keep, cause=cause, stop_may_change=self._may_change_stop
        )
        if continues.cause is not None:
            self.breaks[continues.cause] += 1
        return span, continues

    def _advance(self, done: Completion, event: Event) -> None:
        """Keep the ids for the next call, as they are recorded: without those of secrets."""
        assert isinstance(event.data, ModelResponse)
        generated = event.data.generated_ids or []
        self._client.ids.advance(done.prompt_ids or [], generated)
        self._came = set()
        self._follow(done.complete, "redacted" in event.data.flags)

    def _follow(self, complete: bool, redacted: bool) -> None:
        """Note how the last response ended, and whether a secret was removed from it."""
        on_ids = self._client.prompts is not None
        self._may_change_stop = on_ids and complete
        if redacted:
            self._came.add("redaction")
        if on_ids and not complete:
            self._came.add("taken_back")
