"""Events of model calls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypedDict

from recordings.events.names import Flag, ModelErrorKind
from recordings.events.parts import (
    CallRequest,
    Continuity,
    EventBase,
    IdSpan,
    MessageSpan,
    Neutralised,
    SentTurn,
    StreamTiming,
    Usage,
)


class ModelRequest(EventBase):
    """One attempt of one model call: everything that was sent."""

    type: ClassVar[str] = "model_request"
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked: one of several equal ones, where there are several."""
    messages: MessageSpan
    messages_sha256: str
    """Rolling hash of the messages as sent: h(n) = sha256(h(n-1) + message n), h(0) empty."""
    params: dict[str, Any]
    """Every other field of the request's body but `messages` and `tools`."""
    with_tools: bool = True


class ModelDelta(EventBase):
    """Streamed text, coalesced over about a second. Lost deltas lose nothing but timing."""

    type: ClassVar[str] = "model_delta"
    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    index: int = 0
    """Which tool call, for the `call_…` kinds."""
    text: str
    pieces: list[tuple[int, int]] = []
    """When it came, to about 100 ms: (milliseconds after `mono`, characters) of each piece of
    `text`; empty: all at once."""


class ModelResponse(EventBase):
    """A model call that came back whole (it may still have been cut off by a limit).

    What follows at once (a call, a note to the model, the round's end) is synced, and it with that.
    """

    type: ClassVar[str] = "model_response"
    step: int
    attempt: int
    response_id: str | None = None
    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []
    finish_reason: str
    stop_reason: int | str | None = None
    complete: bool
    """The turn ended on a stop token, so its calls may be run."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    continuity: Continuity | None = None
    """None when the server gave no ids."""
    generated_ids: list[int] | None = None
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[Flag] = []
    """Doubts about this response, each by name (`recordings.flags`)."""
    neutralised: list[Neutralised] = []
    """Control tokens that the model wrote as text."""
    sent: SentTurn | None = None
    """What goes back to the model, where it differs from what it wrote (see `neutralised`)."""


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
    timing: StreamTiming
    fingerprint: str | None
    flags: list[Flag]


class RawGeneration(EventBase):
    """What a response's ids say where it is not what was shown: the server's parser lost or moved
    something, or a call was not ended. It follows the response, after the calls at the latest.
    """

    type: ClassVar[str] = "raw_generation"
    step: int
    attempt: int
    flags: list[Flag]
    """What differs, each by name (`recordings.flags`)."""
    text: str
    """As the server spells the ids, control tokens included, without the stop token."""


class ModelError(EventBase):
    """An attempt that failed. What had arrived is kept here and never enters the history."""

    type: ClassVar[str] = "model_error"
    durable: ClassVar[bool] = True
    step: int
    attempt: int
    kind: ModelErrorKind
    message: str
    status: int | None = None
    retry_in: float | None = None
    """Seconds until the next attempt; none: given up."""
    reasoning: str | None = None
    content: str | None = None
    generated_ids: list[int] | None = None
