"""Hides from a reviewer what others and the check said, until they have given their verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from recordings.reviews.approval import Judgement
from recordings.reviews.protocol import ReviewProtocol

Seen = TypeVar("Seen", bound=Judgement)
HIDDEN = "hidden"
"""What is listed as the outcome where the check is hidden."""
OF_CHECK = frozenset({"check", "query_outcome"})
"""Types of the events that say what the check found."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who looks, under a protocol that may hide verdicts."""

    name: str | None
    """`None`: they did not say who they are."""
    protocol: ReviewProtocol

    def is_blind(self, reviews: Iterable[Judgement], sha256: str) -> bool:
        """Return whether the reviews of others are hidden, on content with this hash."""
        judged = {one.reviewer for one in reviews if one.verdict and one.sha256 == sha256}
        return not self.protocol.may_see(self.name, judged)

    def hides_check(self, reviews: Iterable[Judgement], sha256: str) -> bool:
        """Return whether the check and the outcome are hidden, on content with this hash."""
        judged = {one.reviewer for one in reviews if one.verdict and one.sha256 == sha256}
        return not self.protocol.shows_check_to(self.name, judged)

    def seen(self, reviews: Sequence[Seen], sha256: str) -> Sequence[Seen]:
        """Return the reviews that the person may see: all of them, or their own."""
        if not self.is_blind(reviews, sha256):
            return reviews
        return [one for one in reviews if one.reviewer == self.name]
