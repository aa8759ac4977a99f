"""Events of a session and its rounds: start, messages, end."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.names import HarnessReason
from recordings.events.parts import EventBase, EventPart, Neutralised, Usage, WireInfo

RoundStatus = Literal[
    "answered", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"
]
Delivery = Literal["steer", "queued"]
"""What a message waits for: the end of the running step, or of the round."""
SessionStatus = Literal[
    "done",
    "interrupted",
    "limit",
    "cut_off",
    "empty",
    "loop",
    "infra",
    "failed",
    "parked",
    "replied",
]
"""`parked`: it waits for a person's reply; `replied`: it has one, or a part of its work is left."""
ParkedStatus = Literal["parked", "replied"]


class SessionStart(EventBase):
    """The first event: the workspace, the model, the tools and the settings of a session."""

    type: ClassVar[str] = "session_start"
    durable: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"author", "wire"})
    sii_version: str
    mode: Literal["interactive", "headless", "demo", "batch", "imported"]
    workspace: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    """What the server reports: its version, the model's entry in `/v1/models`."""
    context_length: int | None = None
    system_prompt: str
    tools: list[dict[str, Any]]
    """The tool schemas exactly as sent."""
    tools_sha256: str
    settings: dict[str, Any] = {}
    """The settings in force, without secrets."""
    wire: WireInfo | None = None
    """`None` in recordings of before there was a choice: messages."""
    speaker: str | None = None
    """Pseudonym of the human at the prompt."""
    query: str | None = None
    """Name of the query, for a task from a query file."""
    batch: str | None = None
    """Name of the session's batch."""
    attempt: int | None = None
    """Which attempt at the query in the batch, from 1."""
    variant: dict[str, Any] = {}
    """The settings that `--vary` gave this attempt."""
    author: str | None = None
    """Pseudonym of the person who wrote the query; missing where it is not known."""
    source: str | None = None
    """Where the query comes from."""
    license: str | None = None
    """Licence of the query and its workspace."""
    rubric: str | None = None
    """What a reviewer should check."""
    tags: list[str] = []


class SessionResume(EventBase):
    """The session is resumed in a new process, after its end or after a crash.

    The clock `mono` starts again here.
    """

    type: ClassVar[str] = "session_resume"
    later: ClassVar[frozenset[str]] = frozenset({"wire"})
    durable: ClassVar[bool] = True
    sii_version: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    wire: WireInfo | None = None
    lost: Literal["nothing", "model", "tool"] = "nothing"
    """What was running when the last process ended; it is not repeated automatically."""


class ModelChange(EventBase):
    """The human chose another model, or whether it thinks; the session goes on in its sandbox.

    The next prompt is rendered again, and a sample ends here.
    """

    type: ClassVar[str] = "model_change"
    durable: ClassVar[bool] = True
    model: str
    base_url: str
    server: dict[str, Any] = {}
    context_length: int | None = None
    thinking: bool | None = None
    """Whether the model thinks, as the human chose; `None` leaves it to the template."""
    wire: WireInfo | None = None
    speaker: str | None = None
    """Pseudonym of the human."""


class Consent(EventBase):
    """What the speaker allows to be done with this session; it follows the start, or a resume."""

    type: ClassVar[str] = "consent"
    durable: ClassVar[bool] = True
    speaker: str | None = None
    """Pseudonym."""
    asked: bool
    """Whether the speaker was asked; without a prompt nobody is."""
    training: bool | None = None
    """Whether models may be trained with it."""
    leaves_team: bool | None = None
    """Whether it may be given to others than the speaker's team."""
    license: str | None = None
    """Licence that the speaker puts the own part of it under."""
    text_sha256: str | None = None
    """Of the text that the speaker answered."""
    answered: float | None = None
    """Seconds since the epoch."""


class CheckFound(EventPart):
    """The result of one check of `sii doctor`."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


class ServerCheck(EventBase):
    """The last result of `sii doctor --record` for this server, copied into a new recording."""

    type: ClassVar[str] = "server_check"
    base_url: str
    examined: float
    """Seconds since the epoch."""
    checks: list[CheckFound]


class Mention(EventPart):
    """A file or a folder of the workspace that a message names with `@`."""

    path: str
    """Relative to the workspace."""
    sha256: str | None = None
    """Of the file when the message was sent; `None` of a folder, a link and a large file."""


class UserMessage(EventBase):
    """A message of the user, or of the query; it begins a round, or steers the one that runs."""

    type: ClassVar[str] = "user_message"
    durable: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset(
        {"speaker", "delivery", "typed_at", "pending", "typed", "mentions"}
    )
    round: int
    text: str
    sent: str | None = None
    """The text as sent to the model, where it differs from `text` (see `neutralised`)."""
    neutralised: list[Neutralised] = []
    speaker: str | None = None
    """Pseudonym of the human who wrote it."""
    delivery: Delivery | None = None
    """How it waited; `None`: it was sent as soon as it was typed."""
    typed_at: float | None = None
    """Seconds since the epoch; it was delivered at the time of this event."""
    pending: int | None = None
    """Number of the `pending_message` that this delivers."""
    typed: str | None = None
    """What was typed, where `text` was made of it by a command of the user's own."""
    mentions: list[Mention] | None = None
    """What of the workspace it names with `@`, at the interactive prompt."""


class PendingMessage(EventBase):
    """A message that the user sent while a round ran; it waits to be delivered.

    The `user_message` that names it delivers it; a `pending_returned` says that none will.
    """

    type: ClassVar[str] = "pending_message"
    durable: ClassVar[bool] = True
    text: str
    delivery: Delivery
    speaker: str | None = None
    """Pseudonym of the human who wrote it."""


class PendingReturned(EventBase):
    """Messages that waited went back to the user: they are not delivered."""

    type: ClassVar[str] = "pending_returned"
    durable: ClassVar[bool] = True
    pending: list[int]
    """Numbers of the `pending_message` events."""
    why: Literal["taken_back", "round_ended"]
    """The user took it back, or the round ended without an answer."""


class Rewind(EventBase):
    """In a fork: the user went back to before one of the parent's messages.

    The parent stays as it is. Together they are a preference pair where the model was wrong.
    """

    type: ClassVar[str] = "rewind"
    durable: ClassVar[bool] = True
    by: str | None = None
    """Pseudonym."""
    message: int
    """Number of the parent's message."""
    why: Literal["wrong", "unclear", "trying"]
    """The model was wrong, the user's message was unclear, or the user was just trying."""
    files: bool
    """Whether the files went back, too."""


class SentBack(EventBase):
    """In a fork: a reviewer sent the parent back from a step, and a batch continues it from there.

    The reviewer's words follow, as a message of origin `annotator`. The parent stays as it is.
    """

    type: ClassVar[str] = "sent_back"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym of the reviewer."""
    step: int
    """Number of the parent's event that the reviewer found wrong: a response of the model."""
    batch: str
    """Name of the batch that continues it."""
    attempt: int
    """Which continuation it is, from 1."""
    variant: dict[str, Any] = {}
    """The settings that `--vary` gave this continuation."""


class HarnessMessage(EventBase):
    """A text that sii adds for the model; it is never shown as the user's."""

    type: ClassVar[str] = "harness_message"
    durable: ClassVar[bool] = True
    reason: HarnessReason
    text: str


class Interrupt(EventBase):
    """The user interrupted the round."""

    type: ClassVar[str] = "interrupt"
    durable: ClassVar[bool] = True
    round: int
    during: Literal["model", "tool"]


class RoundEnd(EventBase):
    """The round ended: with an answer, at a limit, by an interrupt or by a failure."""

    type: ClassVar[str] = "round_end"
    durable: ClassVar[bool] = True
    round: int
    status: RoundStatus
    steps: int
    reason: str = ""


class SessionEnd(EventBase):
    """The last event of a session that was closed; missing after a kill."""

    type: ClassVar[str] = "session_end"
    durable: ClassVar[bool] = True
    status: SessionStatus
    reason: str = ""
    rounds: int
    steps: int
    usage: Usage = Usage()
    breaks: dict[str, int] = {}
    """How often a prompt did not extend the previous call, by cause (`Continuity`)."""
