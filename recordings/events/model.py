"""Events of model calls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypedDict

from recordings.events.names import Flag, ModelErrorKind
from recordings.events.parts import (
    BlobRef,
    CallRequest,
    Continuity,
    EventBase,
    IdSpan,
    Logprobs,
    MessageSpan,
    Neutralised,
    SentTurn,
    StreamTiming,
    Usage,
)


class ModelRequest(EventBase):
    """One request of a model call: everything that was sent."""

    type: ClassVar[str] = "model_request"
    later: ClassVar[frozenset[str]] = frozenset({"wire"})
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked, one of the session's endpoints."""
    messages: MessageSpan
    messages_sha256: str
    """Rolling hash of the messages as sent: h(n) = sha256(h(n-1) + message n), h(0) is empty."""
    params: dict[str, Any]
    """All fields of the request's body but `messages` and `tools`. On the ids wire the body has the
    prompt's ids instead of these and of the template's arguments, and `logprobs` is a number."""
    with_tools: bool = True
    wire: Literal["ids"] | None = None
    """`None`: messages were sent."""


class ModelDelta(EventBase):
    """Streamed text of about a second. It adds only timing: the response has the text too."""

    type: ClassVar[str] = "model_delta"
    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    index: int = 0
    """Which tool call, for the `call_…` kinds."""
    text: str
    pieces: list[tuple[int, int]] = []
    """When it came, to about 100 ms: (milliseconds after `mono`, characters) of each piece of
    `text`; empty when it came at once."""


class ModelResponse(EventBase):
    """The response to a model call, received in full; a limit may have cut it off.

    It is synced together with the event that follows: a call, a harness message, the round's end.
    """

    type: ClassVar[str] = "model_response"
    later: ClassVar[frozenset[str]] = frozenset({"opening_ids", "logprobs"})
    step: int
    attempt: int
    response_id: str | None = None
    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []
    finish_reason: str
    stop_reason: int | str | None = None
    complete: bool
    """It ended on a stop token, so its calls may be run."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    continuity: Continuity | None = None
    """`None` when the server reported no ids."""
    generated_ids: list[int] | None = None
    logprobs: Logprobs | None = None
    """Where the setting `record_logprobs` asks for them."""
    opening_ids: list[int] | None = None
    """On the ids wire, the end of the prompt that belongs to the response: its role, and the
    beginning of its reasoning where the prompt has it."""
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[Flag] = []
    """Doubts about this response, by name (`recordings.flags`)."""
    neutralised: list[Neutralised] = []
    """Control tokens that the model wrote as text."""
    sent: SentTurn | None = None
    """What is sent back to the model, where it differs from what it wrote (see `neutralised`)."""

    def blobs(self) -> tuple[BlobRef, ...]:
        """Return the log probabilities, where they are kept."""
        return () if self.logprobs is None else (self.logprobs.values,)


class ResponseFields(TypedDict):
    """The fields that `ModelResponse` and `SummaryResponse` have in common."""

    attempt: int
    response_id: str | None
    reasoning: str | None
    content: str | None
    finish_reason: str
    stop_reason: int | str | None
    complete: bool
    usage: Usage | None
    generated_ids: list[int] | None
    logprobs: Logprobs | None
    timing: StreamTiming
    fingerprint: str | None
    flags: list[Flag]


class RawGeneration(EventBase):
    """The text of a response's ids, where it differs from the response: the server's parser lost or
    moved something, or the model did not end a call. It follows the response, at the latest after
    its calls.
    """

    type: ClassVar[str] = "raw_generation"
    step: int
    attempt: int
    flags: list[Flag]
    """What differs, by name (`recordings.flags`)."""
    text: str
    """As the server decodes the ids, with control tokens, without the stop token."""


class ModelError(EventBase):
    """A request that failed. What had arrived is kept here and is never part of the history."""

    type: ClassVar[str] = "model_error"
    durable: ClassVar[bool] = True
    step: int
    attempt: int
    kind: ModelErrorKind
    message: str
    status: int | None = None
    retry_in: float | None = None
    """Seconds until the next request; `None` when the call is given up."""
    reasoning: str | None = None
    content: str | None = None
    generated_ids: list[int] | None = None
