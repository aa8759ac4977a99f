"""Events of a full context: what was left out or summed up."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.names import Flag
from recordings.events.parts import EventBase, IdSpan, MessageSpan, StreamTiming, Usage


class SummaryRequest(EventBase):
    """The model is asked to sum the session up, because its context is full.

    Neither the question nor the answer becomes part of the history; what is made of the answer is
    a `compaction`.
    """

    type: ClassVar[str] = "summary_request"
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked."""
    messages: MessageSpan
    """What it was to sum up, in the terms of a `model_request`; the instruction follows them."""
    instruction: str
    """The last message, of the role `system`."""
    messages_sha256: str
    """As in a `model_request`, the instruction included."""
    params: dict[str, Any]
    with_tools: bool = True


class SummaryResponse(EventBase):
    """What the model answered to a `summary_request`. Stands for a message of the role `system`
    where a `compaction` names it."""

    type: ClassVar[str] = "summary_response"
    durable: ClassVar[bool] = True
    step: int
    attempt: int
    response_id: str | None = None
    reasoning: str | None = None
    content: str | None = None
    finish_reason: str
    stop_reason: int | str | None = None
    complete: bool
    summary: str = ""
    """The message that is made of it; empty: it cannot be used."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    """On the session's previous response; the next one stands on that too, not on this."""
    generated_ids: list[int] | None = None
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[Flag] = []


class Stub(EventBase):
    """A line in the place of an old observation that was left out to make room."""

    type: ClassVar[str] = "stub"
    of: int
    """The observation's event."""
    call_id: str
    text: str


class Compaction(EventBase):
    """From here the model reads another history: earlier messages were left out or summed up."""

    type: ClassVar[str] = "compaction"
    durable: ClassVar[bool] = True
    cause: Literal["full", "overflow", "asked"]
    """The context was full by our count, or by the server's; or the human asked for it."""
    kind: Literal["stubs", "summary"]
    """Old observations were replaced by stubs; or everything but the user's words and the last
    steps by a summary."""
    messages: MessageSpan
    """The history from here, on the messages of the last `model_request`."""
    before: int
    """Tokens of the history."""
    after: int
    exact: bool = True
    """Whether these were counted; else they were estimated."""
