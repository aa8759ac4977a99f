"""Events of sessions that a batch runs."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.parts import EventBase, Usage

QueryStatus = Literal[
    "solved",
    "answered",
    "unsolved",
    "gave_up",
    "limit",
    "loop",
    "cut_off",
    "empty",
    "refused",
    "failed",
    "infra",
]
"""How an attempt at a query ended: `solved` and `unsolved` by its check, `answered` without one,
`gave_up` when the model did nothing more after feedback on a failed check."""


class Check(EventBase):
    """The query's check was run at the end of a round; the model does not see this."""

    type: ClassVar[str] = "check"
    durable: ClassVar[bool] = True
    round: int
    command: str
    exit_code: int | None = None
    """`None` when it was stopped, or never began."""
    passed: bool
    output: str = ""
    """The end of its output."""
    seconds: float


class SimulatedUser(EventBase):
    """A second model played the user; its reply follows as a user message of origin `query`."""

    type: ClassVar[str] = "simulated_user"
    durable: ClassVar[bool] = True
    round: int
    model: str
    messages: list[dict[str, Any]]
    """What that model was sent."""
    reply: str
    usage: Usage | None = None


class QueryOutcome(EventBase):
    """How an attempt of a batch ended; a session without this event was stopped before its end."""

    type: ClassVar[str] = "query_outcome"
    durable: ClassVar[bool] = True
    status: QueryStatus
    reason: str = ""
    feedback_rounds: int = 0
    """Rounds that were opened because the check failed."""
