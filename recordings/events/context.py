"""Events of a full context: what was replaced by stubs or by a summary."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.names import Flag
from recordings.events.parts import (
    BlobRef,
    EventBase,
    IdSpan,
    Logprobs,
    MessageSpan,
    StreamTiming,
    Usage,
)


class SummaryRequest(EventBase):
    """The model is asked to summarise the session, because its context is full.

    Neither this request nor its response becomes part of the history; the `compaction` that is
    made from the response does.
    """

    type: ClassVar[str] = "summary_request"
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked."""
    messages: MessageSpan
    """The messages to summarise, as in a `model_request`; the instruction follows them."""
    instruction: str
    """The last message, with the role `system`."""
    messages_sha256: str
    """As in a `model_request`, including the instruction."""
    params: dict[str, Any]
    with_tools: bool = True


class SummaryResponse(EventBase):
    """The response to a `summary_request`. It is a message with the role `system` where a
    `compaction` names it."""

    type: ClassVar[str] = "summary_response"
    later: ClassVar[frozenset[str]] = frozenset({"logprobs"})
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
    """The message that is made from it; empty when it cannot be used."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    """Relative to the session's previous `model_response`, as those of the next one are."""
    generated_ids: list[int] | None = None
    logprobs: Logprobs | None = None
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[Flag] = []

    def blobs(self) -> tuple[BlobRef, ...]:
        """Return the log probabilities, where they are kept."""
        return () if self.logprobs is None else (self.logprobs.values,)


class Stub(EventBase):
    """A line that replaces an old observation, to make room."""

    type: ClassVar[str] = "stub"
    of: int
    """The observation's event."""
    call_id: str
    text: str


class SummaryEdit(EventBase):
    """The human edited a summary before it was used: the model reads this instead."""

    type: ClassVar[str] = "summary_edit"
    durable: ClassVar[bool] = True
    of: int
    """The `summary_response`, which keeps what the model wrote."""
    text: str
    """What the model reads."""
    speaker: str | None = None
    """Pseudonym of the human."""


class Compaction(EventBase):
    """From here the model reads a shorter history: stubs or a summary replace earlier messages."""

    type: ClassVar[str] = "compaction"
    durable: ClassVar[bool] = True
    cause: Literal["full", "overflow", "asked"]
    """`full`: by sii's count; `overflow`: by the server's; `asked`: the user asked for it."""
    kind: Literal["stubs", "summary"]
    """`stubs` replace old observations; a `summary` replaces everything but the user's messages
    and the last steps."""
    messages: MessageSpan
    """The history from here, relative to the messages of the last `model_request`."""
    before: int
    """Tokens of the history."""
    after: int
    exact: bool = True
    """Whether the two were counted, not estimated."""
