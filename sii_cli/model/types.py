"""What passes between the loop and a model: a request in, parts out, a completion at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sii_cli.errors import FAILED, INFRASTRUCTURE, LIMIT, SiiError

DeltaKind = Literal["reasoning", "content", "call_name", "call_arguments"]

Fault = Literal["infra", "overflow", "refused"]
"""Why a model call was given up: the server or the way to it failed (`infra`); the prompt does
not fit the context (`overflow`); the server refuses the request for what it says (`refused`:
wrong model name, wrong key, tools it cannot take)."""


STREAMING: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "return_token_ids": True,
}
"""Fields of every request: what makes a recording exact."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One model call. The JSON pieces are joined, never parsed again: cost is linear in bytes."""

    request_id: str
    """A UUID: some servers refuse an id in another form."""
    messages: Sequence[bytes]
    """JSON objects, in order."""
    tools: bytes | None
    """JSON array of tool schemas; none when the model may call nothing."""
    params: dict[str, Any]
    """Every other field of the body (model, sampling, stream options, …)."""


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt is about to be sent."""

    attempt: int
    """1, 2, 3, …"""
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
class Failed:
    """An attempt failed. What had arrived of it must not enter the history."""

    attempt: int
    kind: str
    """connect, dns, tls, timeout, idle, broken_stream, no_finish, garbage, engine_dead,
    unauthorized, unknown_model, tools_refused, overflow, bad_request, rate_limited, unavailable,
    server_error, bad_url."""
    message: str
    """One sentence for the human, with the remedy."""
    fault: Fault
    status: int | None = None
    retry_in: float | None = None
    """Seconds until the next attempt; none: given up, and this is the last part."""
    reasoning: str = ""
    content: str = ""
    generated_ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as the model wrote it; `arguments` is the raw string."""

    index: int
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts as the server reports them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total(self) -> int:
        """Tokens of the context that are taken."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Completion:
    """A model call that came back whole; the last part of a stream."""

    attempt: int
    response_id: str | None
    reasoning: str | None
    content: str | None
    calls: tuple[Call, ...]
    finish_reason: str
    stop_reason: int | str | None
    complete: bool
    """The turn ended on a stop token, so its calls may be run."""
    usage: TokenUsage | None = None
    prompt_ids: list[int] | None = None
    generated_ids: list[int] | None = None
    first_chunk: float | None = None
    """Seconds from sending, like the two below."""
    first_token: float | None = None
    total: float = 0.0
    chunks: int = 0
    fingerprint: str | None = None
    flags: tuple[str, ...] = ()
    """Doubts, each by name (`recordings.flags`)."""


@dataclass(frozen=True, slots=True)
class TextDoubts:
    """How a turn differs from what its ids spell."""

    flags: tuple[str, ...]
    """By name (`recordings.flags`); empty when it does not."""
    text: str
    """What the ids spell, control tokens included, the stop token left out."""


ModelPart = Started | Delta | Failed | Completion


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server tells of itself and of the model it serves."""

    name: str
    base_url: str
    context_length: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """Version, the model's entry in `/v1/models`."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens that end a turn, as the profile names and the server counts them."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read."""


class Model(Protocol):
    """A model behind a server, or a stand-in for one."""

    async def describe(self) -> ServedModel:
        """Ask the server what it serves. Raises `ModelError`."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        """Send one request; retry what may be retried.

        Yields `Started` for every attempt, its deltas, and ends with a `Completion`, or with a
        `Failed` whose `retry_in` is none. Closing the iterator (or cancelling) disconnects.
        """
        ...

    async def text_doubts(self, done: Completion) -> TextDoubts | None:
        """Compare a whole turn with what its generated ids spell.

        None where that cannot be told, or not in a form that can be compared. Raises `ModelError`.
        """
        ...

    async def count_tokens(self, what: str | ChatRequest) -> int | None:
        """Return how many tokens a text, or the prompt of a request, comes to.

        None when the server does not tell, or not now.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


_EXIT_CODES: dict[Fault, int] = {"infra": INFRASTRUCTURE, "overflow": LIMIT, "refused": FAILED}


class ModelError(SiiError):
    """The server cannot be used; the message is one sentence with the remedy."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.exit_code = _EXIT_CODES[fault]
