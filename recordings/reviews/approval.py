"""The standing of a recording: what a policy makes of the verdicts on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from recordings.reviews.protocol import DEFAULT_PROTOCOL, MACHINES, ReviewProtocol, Role

Verdict = Literal["approve", "reject", "needs_work"]
ApprovalState = Literal[
    "unreviewed", "in_review", "disputed", "approved", "rejected", "needs_work", "void"
]
_MEANS: dict[Verdict, ApprovalState] = {
    "approve": "approved",
    "reject": "rejected",
    "needs_work": "needs_work",
}


class Judgement(Protocol):
    """The part of a review that decides."""

    @property
    def reviewer(self) -> str:
        """A pseudonym."""
        ...

    @property
    def role(self) -> Role | None:
        """`None` before roles were recorded."""
        ...

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def sha256(self) -> str:
        """The recording's hash when it was reviewed."""
        ...

    @property
    def verdict(self) -> Verdict | None:
        """`None` for a review without a verdict."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing of a recording under a protocol."""

    state: ApprovalState
    verdicts: dict[str, Verdict]
    """Each reviewer's last verdict on the recording as it is now, where it counts."""
    void: tuple[str, ...] = ()
    """Reviewers whose last verdict was on other content."""
    missing: int = 0
    """Verdicts of reviewers that it still needs."""
    set_aside: tuple[str, ...] = ()
    """Those whose verdicts do not count, because of who they are."""

    @property
    def dissent(self) -> tuple[str, ...]:
        """The reviewers whose verdict is not that of the standing, where it is a verdict."""
        if self.state not in _MEANS.values():
            return ()
        return tuple(name for name, said in self.verdicts.items() if _MEANS[said] != self.state)


def standing(
    reviews: Iterable[Judgement],
    sha256: str,
    protocol: ReviewProtocol = DEFAULT_PROTOCOL,
    authors: Collection[str] = (),
) -> Standing:
    """Return the standing of a recording whose hash is `sha256` now.

    A verdict counts until its reviewer gives another or the recording changes. It does not count
    when the reviewer is one of the `authors`, whose words the recording holds. The order of the
    reviews does not matter.
    """
    last: dict[str, Judgement] = {}
    aside: dict[str, None] = {}
    for review in sorted(reviews, key=order_of):
        if review.verdict is not None:
            if may_judge(review, protocol, authors):
                last[review.reviewer] = review
            else:
                aside[review.reviewer] = None
    verdicts: dict[str, Verdict] = {}
    decision: Verdict | None = None
    for name, review in last.items():
        if review.sha256 == sha256 and review.verdict is not None:
            verdicts[name] = review.verdict
    if protocol.policy == "adjudicated":
        decision = _decision(last, verdicts, protocol)
    missing = max(0, verdicts_needed(protocol) - len(verdicts)) if decision is None else 0
    if decision is not None:
        state = _MEANS[decision]
    elif verdicts:
        state = _state(list(verdicts.values()), protocol, bool(missing))
    else:
        state = "void" if last else "unreviewed"
    void = tuple(name for name in last if name not in verdicts)
    return Standing(state, verdicts, void, missing, tuple(one for one in aside if one not in last))


def order_of(review: Judgement) -> tuple[float, str, str, str]:
    """Return what reviews are sorted by: the order of their lines is not proved."""
    return review.time, review.verdict or "", review.role or "", review.sha256


def may_judge(review: Judgement, protocol: ReviewProtocol, authors: Collection[str]) -> bool:
    """Return whether a verdict counts, by its role and its reviewer.

    What was said before roles were recorded counts as it did then.
    """
    if review.role is None:
        return True
    if review.role in MACHINES:
        return review.role in protocol.machines
    return review.role != "practitioner" and review.reviewer not in authors


def _decision(
    last: dict[str, Judgement], verdicts: dict[str, Verdict], protocol: ReviewProtocol
) -> Verdict | None:
    """Return the last verdict of an adjudicator, which settles what reviewers say."""
    decisive = [
        last[name]
        for name in verdicts
        if last[name].role == "adjudicator" and name in protocol.adjudicators
    ]
    return max(decisive, key=order_of).verdict if decisive else None


def verdicts_needed(protocol: ReviewProtocol) -> int:
    """Return how many verdicts are needed: one person cannot agree alone."""
    return max(protocol.reviewers, 2 if protocol.policy == "adjudicated" else 1)


def _state(verdicts: list[Verdict], protocol: ReviewProtocol, is_incomplete: bool) -> ApprovalState:
    approvals, rejections = verdicts.count("approve"), verdicts.count("reject")
    match protocol.policy:
        case "undisputed":
            is_disputed, approved = bool(approvals and rejections), bool(approvals)
        case "any":
            is_disputed, approved = False, bool(approvals)
        case "all":
            is_disputed, approved = False, approvals == len(verdicts)
        case "majority":
            is_disputed, approved = False, approvals > len(verdicts) / 2
        case "adjudicated":
            is_disputed, approved = len(set(verdicts)) > 1, bool(approvals)
    if is_disputed:
        return "disputed"
    if is_incomplete:
        return "in_review"
    if approved:
        return "approved"
    return "rejected" if rejections >= verdicts.count("needs_work") else "needs_work"
