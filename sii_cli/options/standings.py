"""The one table of the standings: what lists, filters and sentences call each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from recordings.reviews.approval import ApprovalState


class StandingWords(NamedTuple):
    """The words for a standing."""

    label: str
    """In a list; empty where there is nothing to say."""
    sentence: str
    """After the name of the recording."""


STANDINGS: dict[ApprovalState, StandingWords] = {
    "unreviewed": StandingWords("", "is not judged yet"),
    "in_review": StandingWords("in review", "is in review"),
    "disputed": StandingWords("disputed", "is disputed"),
    "approved": StandingWords("approved", "is approved"),
    "rejected": StandingWords("rejected", "is rejected"),
    "needs_work": StandingWords("needs work", "needs work"),
    "void": StandingWords("verdict void (changed since)", "is not judged as it is now"),
}
