"""The client of all model calls of a session: it sends a request and records the result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, assert_never
from uuid import uuid4

from recordings.conversation.ids import IdTrail
from recordings.conversation.restore import SentMessage
from recordings.events import (
    EventData,
    Flag,
    LiveDelta,
    Logprobs,
    ModelError,
    ResponseFields,
    StreamTiming,
)
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.round_control import ContextOverflow, RoundOver
from sii_cli.debug_log import logger
from sii_cli.model.control_tokens import AS_WRITTEN, NEUTRALISED, Neutralisation
from sii_cli.model.errors import ModelCallFailed, ModelCallRefused, PromptTooLong
from sii_cli.model.types import (
    ChatRequest,
    Completion,
    Delta,
    Model,
    RequestFailed,
    RequestStarted,
)

if TYPE_CHECKING:
    from sii_cli.model.ids.wire import IdsPrompts

_LOG = logger(__name__)

INTERRUPTED = "The model was interrupted."


class ModelClient:
    """Makes the model calls of one session, with its tools, its parameters and its token ids."""

    def __init__(
        self,
        *,
        model: Model,
        tools: bytes | None,
        params: dict[str, Any],
        channel: EventChannel,
        ids: IdTrail,
        prompts: IdsPrompts | None = None,
    ) -> None:
        """`tools` is the JSON array of schemas as sent; `params` every other field of a request.

        `prompts` makes the prompts of the ids wire; `None` for the messages wire.
        """
        self.model = model
        self.tools = tools
        self.params = params
        self.ids = ids
        self.prompts = prompts
        self._channel = channel

    @property
    def neutralisation(self) -> Neutralisation:
        """What is done to text before the model reads it."""
        return NEUTRALISED if self.prompts is None else AS_WRITTEN

    def request(
        self, messages: Sequence[SentMessage], params: dict[str, Any] | None = None
    ) -> ChatRequest:
        """Return a request; `params` are set over those of the session."""
        merged = self.params if params is None else self.params | params
        ids = None if self.prompts is None else self.prompts.prompt(messages, merged)
        encoded = [message.encoded for message in messages]
        return ChatRequest(str(uuid4()), encoded, self.tools, merged, ids)

    async def call(
        self,
        step: int,
        request: ChatRequest,
        describe: Callable[[RequestStarted], EventData],
        *,
        live: bool = True,
        interrupted: str = INTERRUPTED,
    ) -> Completion:
        """Make one model call and return the whole response.

        `describe` returns the event of each request that is about to be sent. With `live` the text
        is shown as it arrives. `interrupted` is recorded when the call is cancelled.

        Raises `RoundOver` when the call failed, `ContextOverflow` when the prompt is too long.
        """
        received = _Received()
        try:
            async with aclosing(self.model.stream(request)) as parts:
                async for part in parts:
                    match part:
                        case Delta():
                            received.add(part)
                            if live:
                                self._channel.live(
                                    LiveDelta(step, part.kind, part.text, part.index)
                                )
                        case RequestStarted():
                            received = _Received(part.attempt)
                            _LOG.debug(
                                "step %d: request %d to %s", step, part.attempt, part.base_url
                            )
                            self._channel.note(describe(part), "harness")
                        case RequestFailed():
                            received = _Received(part.attempt)  # the event has what had arrived
                            self._note_failure(step, part)
                        case Completion():
                            return part
                        case _:
                            assert_never(part)
        except asyncio.CancelledError:
            self._channel.note(received.error(step, interrupted), "harness")
            raise
        raise AssertionError("a model's stream ends with a completion or a final failure")

    def keep_logprobs(self, request: ChatRequest, done: Completion) -> Logprobs | None:
        """Keep the log probabilities of a response beside the recording, if it has any."""
        if done.logprobs is None:
            return None
        return Logprobs(
            values=self._channel.keep_logprobs(done.logprobs),
            model=request.params["model"],
            temperature=request.params.get("temperature"),
        )

    async def count_tokens(self, messages: Sequence[SentMessage]) -> int | None:
        """Return how many tokens the prompt of a request with these messages has.

        `None` when the server does not say.
        """
        request = self.request(messages)
        if request.ids is not None:
            return len(request.ids.ids)
        return await self.model.count_tokens(request)

    def _note_failure(self, step: int, failed: RequestFailed) -> None:
        """Record a request that failed. Raises `RoundOver` when none follows it."""
        failure = failed.failure
        _LOG.warning(
            "step %d: request %d failed: %s: %s", step, failed.attempt, failure.kind, failure
        )
        error = ModelError(
            step=step,
            attempt=failed.attempt,
            kind=failure.kind,
            message=str(failure),
            status=failure.status,
            retry_in=failed.retry_in,
            reasoning=failed.reasoning,
            content=failed.content,
            generated_ids=failed.generated_ids,
        )
        self._channel.note(error, "harness")
        if failed.retry_in is None:
            raise _end_of_round(failure)


class _Received:
    """What has arrived of a response, kept in case the call is interrupted."""

    def __init__(self, attempt: int = 1) -> None:
        self._attempt = attempt
        self._reasoning: list[str] = []
        self._content: list[str] = []

    def add(self, delta: Delta) -> None:
        if delta.kind == "reasoning":
            self._reasoning.append(delta.text)
        elif delta.kind == "content":
            self._content.append(delta.text)

    def error(self, step: int, message: str) -> ModelError:
        return ModelError(
            step=step,
            attempt=self._attempt,
            kind="interrupted",
            message=message,
            reasoning="".join(self._reasoning),
            content="".join(self._content),
        )


def response_fields(
    done: Completion, logprobs: Logprobs | None, flags: Sequence[Flag] = ()
) -> ResponseFields:
    """Return what the events of a response have in common; `flags` are added to its own."""
    return {
        "attempt": done.attempt,
        "response_id": done.response_id,
        "reasoning": done.reasoning,
        "content": done.content,
        "finish_reason": done.finish_reason,
        "stop_reason": done.stop_reason,
        "complete": done.complete,
        "usage": done.usage,
        "generated_ids": done.generated_ids,
        "logprobs": logprobs,
        "timing": StreamTiming(
            first_chunk=done.first_chunk,
            first_token=done.first_token,
            total=done.total,
            chunks=done.chunks,
        ),
        "fingerprint": done.fingerprint,
        "flags": [*done.flags, *flags],
    }


def _end_of_round(failure: ModelCallFailed) -> RoundOver:
    match failure:
        case PromptTooLong():
            return ContextOverflow(str(failure))
        case ModelCallRefused():
            return RoundOver("failed", str(failure))
        case _:
            return RoundOver("infra", str(failure))
