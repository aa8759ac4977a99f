"""The outcomes that an attempt of a batch may have (its status): one table.

A new one is a name in `recordings.events.QueryStatus` and an entry here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recordings.events import QueryStatus, RoundStatus

SOLVED: QueryStatus = "solved"
INFRA: QueryStatus = "infra"


@dataclass(frozen=True, slots=True)
class OutcomeKind:
    """What an outcome means, and what it counts as."""

    meaning: str
    style: str
    """On the screen, as Rich names it."""
    rounds: tuple[RoundStatus, ...] = ()
    """Ends of the last round that lead to it when no check decides."""
    counts: bool = True
    """False: the attempt is run again, and this session is never counted."""
    is_failure: bool = True
    """The report names its causes."""
    may_be_kept: bool = True
    """`--keep` can send it to review."""


OUTCOMES: dict[QueryStatus, OutcomeKind] = {
    "solved": OutcomeKind("the check passed", "green", is_failure=False),
    "answered": OutcomeKind(
        "it has no check, and every round ended in an answer",
        "green",
        rounds=("answered",),
        is_failure=False,
    ),
    "unsolved": OutcomeKind("the check failed, after all feedback rounds", "yellow"),
    "gave_up": OutcomeKind(
        "it answered feedback without another call, and the check still failed", "yellow"
    ),
    "limit": OutcomeKind(
        "a limit of steps, tokens, seconds or the context was reached",
        "yellow",
        rounds=("limit", "interrupted"),  # only a limit interrupts a round of a batch
    ),
    "loop": OutcomeKind("the model repeated itself", "yellow", rounds=("loop",)),
    "cut_off": OutcomeKind("the message's length limit was reached", "yellow", rounds=("cut_off",)),
    "empty": OutcomeKind("the model wrote nothing", "red", rounds=("empty",), may_be_kept=False),
    "failed": OutcomeKind("the round failed", "red", rounds=("failed",), may_be_kept=False),
    "refused": OutcomeKind("the server does not take the request", "red", may_be_kept=False),
    "infra": OutcomeKind(
        "server, sandbox, disk or a tool's service failed: run again, never counted",
        "red",
        rounds=("infra",),
        counts=False,
        may_be_kept=False,
    ),
}

KEEPABLE: tuple[QueryStatus, ...] = tuple(
    name for name, kind in OUTCOMES.items() if kind.may_be_kept
)
OUTCOME_OF_ROUND: dict[RoundStatus, QueryStatus] = {
    end: name for name, kind in OUTCOMES.items() for end in kind.rounds
}
"""The outcome of an attempt without a check, by the end of its last round."""


def is_failure(outcome: str | None) -> bool:
    """Tell whether a session is listed among the failures; unknown outcomes are."""
    kind = next((kind for name, kind in OUTCOMES.items() if name == outcome), None)
    return kind is None or kind.is_failure
