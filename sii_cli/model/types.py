"""What passes between the agent loop and a model: a request in, the parts of a stream out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from recordings.events import CallRequest, Flag, Usage
from sii_cli.model.errors import ModelCallFailed

if TYPE_CHECKING:
    from sii_cli.model.ids.wire import IdsWire

DeltaKind = Literal["reasoning", "content", "call_name", "call_arguments"]

STREAMING: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "return_token_ids": True,
}
"""Fields of every request: what makes a recording exact."""


class ResponseReader(Protocol):
    """Reads a response from its generated ids."""

    reasoning_tokens: int
    characters: int
    """Of all that was fed, also of what is not text of the response yet."""

    @property
    def stop(self) -> int | None:
        """The token that ended the response."""
        ...

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        ...

    @property
    def content(self) -> str:
        """The content so far."""
        ...

    @property
    def flags(self) -> list[Flag]:
        """Doubts about the response, when it is finished."""
        ...

    @property
    def text(self) -> str:
        """What the ids spell, without the token that ended them."""
        ...

    def calls(self, response_id: str | None) -> list[CallRequest]:
        """Return the calls that can be run."""
        ...

    def feed(self, ids: Sequence[int]) -> list[Delta]:
        """Take the next ids; return the text in them."""
        ...

    def finish(self) -> list[Delta]:
        """Return the rest of the text."""
        ...


@dataclass(frozen=True, slots=True)
class IdsPrompt:
    """A prompt as ids, and what reads the response to it."""

    ids: list[int]
    opening: list[int]
    """Those at the end that belong to the response."""
    stops: list[int]
    """Tokens that end a response."""
    new_reader: Callable[[], ResponseReader]
    """Makes a reader for one request."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request. Its JSON pieces are joined and never parsed again: cost is linear in bytes."""

    request_id: str
    """A UUID: some servers refuse an id in another form."""
    messages: Sequence[bytes]
    """JSON objects, in order."""
    tools: bytes | None
    """JSON array of tool schemas, or `None` when the model may call nothing."""
    params: dict[str, Any]
    """Every other field of the body (model, sampling, stream options, …)."""
    ids: IdsPrompt | None = None
    """What is sent instead of messages, tools and the template's arguments."""


@dataclass(frozen=True, slots=True)
class RequestStarted:
    """A request is about to be sent."""

    attempt: int
    """Number of the request within its model call: 1, 2, 3, …"""
    base_url: str | None = None
    """The server that it goes to."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of streamed text."""

    kind: DeltaKind
    text: str
    index: int = 0
    """Which tool call, for the `call_…` kinds."""


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request failed. What had arrived of its response must not enter the history."""

    attempt: int
    failure: ModelCallFailed
    retry_in: float | None = None
    """Seconds until the next request, or `None` when the model call failed: it is the last part."""
    reasoning: str = ""
    content: str = ""
    generated_ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole response; the last part of a stream."""

    attempt: int
    response_id: str | None
    reasoning: str | None
    content: str | None
    calls: tuple[CallRequest, ...]
    finish_reason: str
    stop_reason: int | str | None
    complete: bool
    """The response ended on a stop token, so its calls may be run."""
    usage: Usage | None = None
    prompt_ids: list[int] | None = None
    generated_ids: list[int] | None = None
    logprobs: list[float] | None = None
    """The log probability of each generated id, where the request asked for them."""
    first_chunk: float | None = None
    """Seconds from sending, like the two below."""
    first_token: float | None = None
    total: float = 0.0
    chunks: int = 0
    fingerprint: str | None = None
    flags: tuple[Flag, ...] = ()
    """Doubts, each by name (`recordings.flags`)."""
    text: str | None = None
    """What the ids spell, as in `TextDifferences`, where sii read them itself."""


@dataclass(frozen=True, slots=True)
class TextDifferences:
    """How a response differs from what its ids spell."""

    flags: tuple[Flag, ...]
    """By name (`recordings.flags`); empty when it does not."""
    text: str
    """What the ids spell, control tokens included, the stop token left out."""


ModelPart = RequestStarted | Delta | RequestFailed | Completion


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server says of itself and of the model that it serves."""

    name: str
    base_url: str
    context_length: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """Version, the model's entry in `/v1/models`."""
    stop_token_ids: tuple[int, ...] = ()
    """Ids of the tokens that end a response: named by the profile, numbered by the server."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    wire: IdsWire | None = None
    """How prompts are sent as ids, or `None` for messages."""
    why_messages: str = ""
    """Why prompts are not sent as ids."""
    names: tuple[str, ...] = ()
    """All models of the server, where it serves more."""


class Model(Protocol):
    """A model behind a server, or something that plays one."""

    async def describe(self) -> ServedModel:
        """Ask the server what it serves. Raises `ModelCallFailed`."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        """Make one model call; send its request again where that may help.

        Yields a `RequestStarted` for every request, its deltas, and ends with a `Completion`, or
        with a `RequestFailed` whose `retry_in` is `None`. Closing the iterator (or cancelling)
        disconnects.
        """
        ...

    async def text_differences(self, done: Completion) -> TextDifferences | None:
        """Compare a whole response with what its generated ids spell.

        `None` where that is not known, or the model's form cannot be compared. Raises
        `ModelCallFailed`.
        """
        ...

    async def render(self, body: dict[str, Any]) -> list[int] | None:
        """Return the ids that the server's `/tokenize` gives for a body.

        `None` when the server does not say.
        """
        ...

    async def takes_ids(self, ids: list[int]) -> bool:
        """Return whether the server accepts a prompt as ids, and returns ids for it."""
        ...

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        """Return how many tokens a text, or the prompt of a request, comes to.

        `None` when the server does not say, or not now.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
