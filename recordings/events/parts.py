"""The base classes of events, and the parts that several events use."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Origin = Literal[
    "human", "query", "model", "tool", "harness", "annotator", "attachment", "compaction"
]
"""Who wrote the text of an event; training masks depend on it."""


BreakCause = Literal[
    "new_round", "steer", "compaction", "model", "redaction", "taken_back", "drift"
]
"""Why a prompt does not continue the previous call (`Continuity`)."""


class EventPart(BaseModel):
    """The base class of all data in events: immutable, without unknown keys."""

    later: ClassVar[frozenset[str]] = frozenset()
    """Fields that a line has only when they are set: earlier versions of sii do not know them."""
    # Built at the first use: a command uses few of the events.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class BlobRef(EventPart):
    """A reference to a blob: bytes kept beside the log under their hash."""

    sha256: str
    size: int
    """In bytes."""


class EventBase(EventPart):
    """The base class of what events say: `type` is the name on disk, `durable` ones are synced."""

    type: ClassVar[str]
    durable: ClassVar[bool] = False

    def blobs(self) -> tuple[BlobRef, ...]:
        """Return the blobs that the event refers to."""
        return ()


class IdSpan(EventPart):
    """Token ids as "previous + new", so that a log grows linearly.

    "Previous" is the prompt ids and then the generated ids of the session's last response with
    ids. `keep` counts the ids that are taken from its beginning; `new` follows them.
    """

    keep: int
    new: list[int]


class MessageSpan(EventPart):
    """The messages of a request as "previous + new", so that a log grows linearly.

    `keep` counts the messages that are taken from the beginning of the previous request's list;
    `new` has the events whose messages follow (`conversation.messages.message_of`).
    """

    keep: int
    new: list[int]


class CallRequest(EventPart):
    """A tool call as the model wrote it; `arguments` is the raw string, valid JSON or not."""

    later: ClassVar[frozenset[str]] = frozenset({"pairs"})
    index: int
    call_id: str
    name: str
    arguments: str
    pairs: list[tuple[str, str]] | None = None
    """Keys and values as the model wrote them, where sii read the ids itself and the form has
    pairs; a key that was written twice is there twice."""


class Usage(EventPart):
    """Token counts as the server reports them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of the prompt and completion tokens; the other counts are not added."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Continuity(EventPart):
    """Whether a prompt begins with exactly the ids of the previous call, prompt and generated.

    Only an extension can be trained together with the calls before it.
    """

    later: ClassVar[frozenset[str]] = frozenset({"stop_replaced"})
    kind: Literal["first", "extension", "break"]
    cause: BreakCause | None = None
    """Why it breaks: `new_round`, earlier reasoning is dropped after a user message; `steer`, the
    same within a round; `compaction`, messages were replaced; `model`, another model or prompt
    form; `redaction`, a secret was removed from what the model wrote; `taken_back`, a call that was
    cut off is not sent back; `drift`, the parsed text was rendered differently."""
    at: int | None = None
    """Place of the first id that differs."""
    stop_replaced: bool | None = None
    """True of an extension whose last generated id, which ended the response, was replaced by the
    role of what follows. It must not be trained here."""


class WireInfo(EventPart):
    """How the prompts of a session are sent."""

    kind: Literal["messages", "ids"]
    why: str = ""
    """Why not as ids."""
    form: str | None = None
    """The form in which the ids are written, like the rest for ids alone."""
    tokenizer_sha256: str | None = None
    keep_reasoning: Literal["template", "loop", "all"] | None = None
    """What becomes of the reasoning of earlier rounds: it is dropped after a user message; after
    one that begins a round; it is kept."""
    control_tokens: list[str] = []
    """The model's control tokens. Text that spells one is sent as plain text; a chat template would
    make the token of it."""


class Logprobs(EventPart):
    """The log probabilities of the ids that a response generated, and how they were sampled."""

    values: BlobRef
    """A blob with one number for each generated id, in order: 32-bit floats, little-endian. They
    are as the server reports them: vLLM's do not depend on the temperature, unless it was started
    with another `--logprobs-mode`."""
    model: str
    temperature: float | None = None
    """As the request asked for it; `None` means that the server's own was used."""


class StreamTiming(EventPart):
    """How long a response took, in seconds from sending the request."""

    first_chunk: float | None = None
    first_token: float | None = None
    total: float = 0.0
    chunks: int = 0


class Neutralised(EventPart):
    """A control token that was found in a text, and neutralised before the text was sent."""

    token: str
    count: int


class SentTurn(EventPart):
    """A response as it is sent back to the model, with control tokens neutralised."""

    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []


class Truncation(EventPart):
    """How much of an output was not shown to the model."""

    bytes: int
    lines: int
