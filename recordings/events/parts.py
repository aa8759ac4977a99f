"""What events are made of."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Origin = Literal["human", "query", "model", "tool", "harness", "annotator", "compaction"]
"""Who made the text of an event. Training masks follow from it."""


class EventPart(BaseModel):
    """A piece of an event's data: immutable, unknown keys refused."""

    # Built when it is first needed: a command meets few of the events that there are.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class EventBase(EventPart):
    """What one event says. `type` is its name on disk; `durable` events are synced to disk."""

    type: ClassVar[str]
    durable: ClassVar[bool] = False


class BlobRef(EventPart):
    """Bytes kept beside the log under their hash."""

    sha256: str
    size: int
    """Bytes."""


class IdSpan(EventPart):
    """Token ids as `what stood there before + what is new`, so that a log grows linearly.

    "Before" is the prompt ids followed by the generated ids of the session's previous response
    that carries ids. `keep` counts the ids taken from its front; `new` follows them.
    """

    keep: int
    new: list[int]


class MessageSpan(EventPart):
    """The messages of a request as `what was sent before + what is new`.

    `keep` counts the messages taken from the front of the previous request's list; `new` holds
    the sequence numbers of the events whose messages follow (see `conversation.message_of`).
    """

    keep: int
    new: list[int]


class CallRequest(EventPart):
    """A tool call as the model wrote it; `arguments` is the raw string, valid JSON or not."""

    index: int
    call_id: str
    name: str
    arguments: str


class Usage(EventPart):
    """Token counts as the server reports them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        """Return the prompt and generated tokens of both; the others are not added up."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Continuity(EventPart):
    """How a prompt's ids go on from the session's last call (its prompt, then what it generated).

    Only an extension can be trained on together with what stood before it.
    """

    kind: Literal["first", "extension", "break"]
    cause: Literal["new_round", "compaction", "drift"] | None = None
    """Why it breaks: templates drop earlier reasoning when a user speaks (`new_round`); messages
    were replaced (`compaction`); parsed text was rendered otherwise than generated (`drift`)."""
    at: int | None = None
    """The first id that differs."""


class StreamTiming(EventPart):
    """Seconds from sending the request."""

    first_chunk: float | None = None
    first_token: float | None = None
    total: float = 0.0
    chunks: int = 0


class Neutralised(EventPart):
    """Control tokens that stood in a text and were defused before it was sent."""

    token: str
    count: int


class SentTurn(EventPart):
    """A turn of the model as it goes back to it: what it wrote, with control tokens defused."""

    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []


class Truncation(EventPart):
    """What the model was not shown of an output."""

    bytes: int
    lines: int
