"""Events of a session's course: it begins, goes on and ends, round by round."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.names import HarnessReason
from recordings.events.parts import EventBase, EventPart, Neutralised, Usage

RoundStatus = Literal[
    "answered", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"
]
SessionStatus = Literal[
    "done", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"
]


class SessionStart(EventBase):
    """The first event: who works where, with which model and tools, under which settings."""

    type: ClassVar[str] = "session_start"
    durable: ClassVar[bool] = True
    sii_version: str
    mode: Literal["interactive", "headless", "demo", "batch", "imported"]
    workspace: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    """What the server tells of itself: version, the model's entry in `/v1/models`."""
    context_length: int | None = None
    system_prompt: str
    tools: list[dict[str, Any]]
    """The tool schemas exactly as sent."""
    tools_sha256: str
    settings: dict[str, Any] = {}
    """What was in force, without secrets."""
    speaker: str | None = None
    """Pseudonym of the human at the prompt."""
    query: str | None = None
    """Name of the query that the task came from, when it came from a query file."""
    batch: str | None = None
    """Name of the batch that the session is part of."""
    attempt: int | None = None
    """Which of the batch's sessions of this query, from 1."""
    variant: dict[str, Any] = {}
    """Settings that the batch varied, as this session has them."""
    source: str | None = None
    """Where the query comes from."""
    license: str | None = None
    """Licence of the query and its workspace."""
    rubric: str | None = None
    """What a reviewer should look at."""
    tags: list[str] = []


class SessionResume(EventBase):
    """The session goes on in a new run, after its end or after a crash.

    The clock `mono` begins anew here.
    """

    type: ClassVar[str] = "session_resume"
    durable: ClassVar[bool] = True
    sii_version: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    lost: Literal["nothing", "model", "tool"] = "nothing"
    """What was under way when the last run died; it is not done again by itself."""


class CheckFound(EventPart):
    """What one look of `sii doctor` found."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


class ServerCheck(EventBase):
    """What `sii doctor --record` had found of the server and the machine, shortly before."""

    type: ClassVar[str] = "server_check"
    base_url: str
    examined: float
    """Seconds since the epoch."""
    checks: list[CheckFound]


class UserMessage(EventBase):
    """What the human (or the query file) said; opens a round."""

    type: ClassVar[str] = "user_message"
    durable: ClassVar[bool] = True
    round: int
    text: str
    sent: str | None = None
    """The text as sent to the model, where it differs from `text` (see `neutralised`)."""
    neutralised: list[Neutralised] = []


class HarnessMessage(EventBase):
    """A reminder or an error note of ours that the model reads; never posed as a user's."""

    type: ClassVar[str] = "harness_message"
    durable: ClassVar[bool] = True
    reason: HarnessReason
    text: str


class Interrupt(EventBase):
    """The human stopped the turn."""

    type: ClassVar[str] = "interrupt"
    durable: ClassVar[bool] = True
    round: int
    during: Literal["model", "tool"]


class RoundEnd(EventBase):
    """The model's turn is over: an answer, a limit, an interrupt or a failure."""

    type: ClassVar[str] = "round_end"
    durable: ClassVar[bool] = True
    round: int
    status: RoundStatus
    steps: int
    reason: str = ""


class SessionEnd(EventBase):
    """The last event of a session that was closed in order. Missing after a kill."""

    type: ClassVar[str] = "session_end"
    durable: ClassVar[bool] = True
    status: SessionStatus
    reason: str = ""
    rounds: int
    steps: int
    usage: Usage = Usage()
    breaks: dict[str, int] = {}
    """How often prompts did not extend what stood before, by cause (`Continuity`)."""
