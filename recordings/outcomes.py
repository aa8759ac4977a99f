"""The outcomes that a session may have, and the states of a recording: one table for all readers.

An outcome says how a session ended, a state what its recording is on disk. A new outcome is a name
in `Outcome` and an entry in `OUTCOMES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal[
    "solved",
    "unsolved",
    "unchecked",
    "check_error",
    "gave_up",
    "limit",
    "loop",
    "cut_off",
    "failed",
    "refused",
    "interrupted",
    "infra",
]
State = Literal[
    "ended", "open", "parked", "replied", "crashed", "forked", "damaged", "newer", "imported"
]
STATES: dict[State, str] = {
    "ended": "the session has ended",
    "open": "it is being written",
    "parked": "it waits for a person's reply (`sii inbox`)",
    "replied": "a person has replied, and `sii inbox` continues it",
    "crashed": "its last lines are missing: the process was killed",
    "forked": "it has no new message since the fork",
    "damaged": "it cannot be read",
    "newer": "its format is of a later version of sii",
    "imported": "it was made of foreign data, and sii did not run the session",
}
"""What a recording is on disk."""
UNREADABLE_STATES: tuple[State, ...] = ("damaged", "newer")
"""Those in which nobody can judge it."""


@dataclass(frozen=True, slots=True)
class OutcomeKind:
    """What an outcome means, and what it counts as."""

    meaning: str
    style: str
    """On the screen, as Rich names it."""
    counts: bool = True
    """False: an attempt of a batch is run again, and this session is never counted."""
    is_verdict: bool = True
    """False: it says nothing about the model, so that rates leave it out."""
    is_failure: bool = True
    """The report names its causes."""
    may_be_kept: bool = True
    """`sii batch --keep` can send it to review."""


OUTCOMES: dict[Outcome, OutcomeKind] = {
    "solved": OutcomeKind("the check passed", "green", is_failure=False),
    "unsolved": OutcomeKind("the check failed, after all feedback rounds", "yellow"),
    "unchecked": OutcomeKind(
        "it has no check, and every round ended in an answer", "green", is_failure=False
    ),
    "check_error": OutcomeKind(
        "the check could not run, so that nothing is known", "red", is_verdict=False
    ),
    "gave_up": OutcomeKind(
        "it answered feedback without another call, and the check still failed", "yellow"
    ),
    "limit": OutcomeKind("a limit of steps, tokens, seconds or the context was reached", "yellow"),
    "loop": OutcomeKind("the model repeated itself", "yellow"),
    "cut_off": OutcomeKind("the message's length limit was reached", "yellow"),
    "failed": OutcomeKind("the round failed, or the model wrote nothing", "red", may_be_kept=False),
    "refused": OutcomeKind("the server does not take the request", "red", may_be_kept=False),
    "interrupted": OutcomeKind(
        "the user stopped it; in a batch it is run again", "", counts=False, may_be_kept=False
    ),
    "infra": OutcomeKind(
        "server, sandbox, disk or a tool's service failed: run again, never counted",
        "red",
        counts=False,
        may_be_kept=False,
    ),
}

KEEPABLE: tuple[Outcome, ...] = tuple(name for name, kind in OUTCOMES.items() if kind.may_be_kept)
EARLIER_WORDS: dict[str, Outcome] = {
    "answered": "unchecked",
    "done": "unchecked",
    "empty": "failed",
}
"""Words that events have instead of the table's, so that every version reads them."""
EMPTY_ANSWER = "empty answer"
"""The reason of an `empty` that gives none."""


def outcome_of(word: str) -> str:
    """Return the table's word for one of an event or a filter; unknown ones stay as they are."""
    return EARLIER_WORDS.get(word, word)


def outcome_line(outcome: str, score: float | None, reason: str) -> str:
    """Return an outcome with its score and its reason, in a line."""
    scored = "" if score is None else f" (score {score:.2f})"
    return f"{outcome}{scored}{': ' if reason else ''}{reason}"


def style_of(outcome: str) -> str:
    """Return how an outcome is drawn; an unknown one is drawn plain."""
    kind = _kind(outcome)
    return kind.style if kind is not None else ""


def is_failure(outcome: str | None) -> bool:
    """Tell whether a session is listed among the failures; unknown outcomes are."""
    kind = _kind(outcome)
    return kind is None or kind.is_failure


def is_verdict(outcome: str | None) -> bool:
    """Tell whether an outcome says something about the model; unknown ones do."""
    kind = _kind(outcome)
    return kind is None or kind.is_verdict


def _kind(outcome: str | None) -> OutcomeKind | None:
    return next((kind for name, kind in OUTCOMES.items() if name == outcome), None)
