"""Opinions: what each reviewer found in a recording, from all that they said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256 as hash_of

from recordings.reviews.approval import Verdict, may_judge, order_of
from recordings.reviews.protocol import MACHINES, ReviewProtocol
from recordings.reviews.review import Review, RubricAnswer, StepReview
from recordings.reviews.reviews import excluded_events

_DECIDERS = ("adjudicator", "lead")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one reviewer found in a recording as it is now."""

    reviewer: str
    time: float
    """Of the last of it, in seconds since the epoch."""
    verdict: Verdict | None
    answers: dict[str, RubricAnswer]
    steps: dict[int, StepReview]
    """What was said last of each event that was judged, by its number."""
    excluded: set[int]
    """Events that were excluded from training."""
    is_below_floor: bool = False
    """Whether the verdict rests on less of the recording than the protocol wanted."""

    @property
    def first_wrong(self) -> int | None:
        """The first event that is marked as bad or flagged as wrong."""
        found = (n for n, one in self.steps.items() if one.mark == "bad" or "wrong" in one.flags)
        return min(found, default=None)


@dataclass(frozen=True, slots=True)
class JudgedRecording:
    """A recording with the opinions on it."""

    id: str
    opinions: tuple[Opinion, ...]
    """By time."""
    decision: Verdict | None = None
    """The last verdict of an adjudicator or a lead."""
    passed: bool | None = None
    """What the check said; `None` without a check."""


def judged_recording(
    name: str,
    reviews: Iterable[Review],
    sha256: str,
    protocol: ReviewProtocol,
    authors: Collection[str] = (),
    passed: bool | None = None,
) -> JudgedRecording:
    """Return the opinions on a recording whose hash is `sha256`, from the reviews that count.

    Where a verdict was given blind, what its reviewer said later does not matter: they had seen
    what others said.
    """
    said: dict[str, list[Review]] = {}
    decision: Verdict | None = None
    for review in sorted(reviews, key=order_of):
        if review.sha256 != sha256 or not may_judge(review, protocol, authors):
            continue
        if review.role in _DECIDERS:
            decision = review.verdict or decision
        elif review.role not in MACHINES:
            said.setdefault(review.reviewer, []).append(review)
    opinions = sorted((_opinion(_unseen(own)) for own in said.values()), key=lambda one: one.time)
    return JudgedRecording(name, tuple(opinions), decision, passed)


def is_in_share(name: str, share: float) -> bool:
    """Return whether a recording is of a share that is chosen by chance, the same each time."""
    return int(hash_of(f"second read {name}".encode()).hexdigest()[:12], 16) < share * 16**12


def _unseen(reviews: list[Review]) -> list[Review]:
    """Return what a person said up to their first blind verdict; without one, all of it."""
    for number, review in enumerate(reviews, 1):
        if review.blind and review.verdict is not None:
            return reviews[:number]
    return reviews


def _opinion(reviews: list[Review]) -> Opinion:
    verdicts = [one.verdict for one in reviews if one.verdict is not None]
    return Opinion(
        reviewer=reviews[-1].reviewer,
        time=reviews[-1].time,
        verdict=verdicts[-1] if verdicts else None,
        answers={name: answer for one in reviews for name, answer in one.rubric.items()},
        steps={step.seq: step for one in reviews for step in one.steps},
        excluded=excluded_events(reviews),
        is_below_floor=_is_below_floor(reviews),
    )


def _is_below_floor(reviews: list[Review]) -> bool:
    """Return whether no review with a verdict says that enough was opened."""
    read = [one.coverage for one in reviews if one.verdict is not None]
    return bool(read) and all(one is not None and one.is_below_floor for one in read)
