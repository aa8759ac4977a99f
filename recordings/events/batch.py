"""Events of sessions that a batch runs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from recordings.events.parts import EventBase, EventPart, Usage

QueryStatus = Literal[
    "solved",
    "answered",
    "unsolved",
    "check_error",
    "gave_up",
    "limit",
    "loop",
    "cut_off",
    "empty",
    "refused",
    "failed",
    "infra",
]
"""How an attempt at a query ended, in the words of events: readers show those of
`recordings.outcomes`, where `answered` is `unchecked` and `empty` is `failed`."""


Score = Annotated[float, Field(ge=0, le=1)]
"""Share of requirements that are met."""


class CheckedRequirement(EventPart):
    """One requirement of a query, as its check judged it."""

    name: str
    met: bool
    why: str = ""


class Check(EventBase):
    """The query's check was run at the end of a round; the model does not see this."""

    type: ClassVar[str] = "check"
    durable: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"score", "requirements", "error"})
    round: int
    command: str
    exit_code: int | None = None
    """`None` when it was stopped, or never began."""
    passed: bool
    output: str = ""
    """The end of its output."""
    seconds: float
    score: Score | None = None
    """Share of the query's requirements that are met, if the check reports one."""
    requirements: list[CheckedRequirement] | None = None
    """What the score is made of, if the check reports it."""
    error: str | None = None
    """Why the check could not run, in a sentence: then it decides nothing."""


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


class Parked(EventBase):
    """The session of a batch waits for a person's reply (`sii inbox`); its sandbox has ended.

    The fields are those of the `query_outcome` that it has if nothing follows.
    """

    type: ClassVar[str] = "parked"
    durable: ClassVar[bool] = True
    status: QueryStatus
    reason: str = ""
    feedback_rounds: int = 0
    """Rounds that a person's replies have opened."""
    score: Score | None = None


class QueryOutcome(EventBase):
    """How an attempt of a batch ended; a session without this event was stopped before its end."""

    type: ClassVar[str] = "query_outcome"
    durable: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"score"})
    status: QueryStatus
    reason: str = ""
    feedback_rounds: int = 0
    """Rounds that were opened because the check failed, or by a person's replies."""
    score: Score | None = None
    """The last check's score, if it reported one."""
