"""The standing of a recording: what a policy makes of the verdicts on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal["approve", "reject", "needs_work"]
Policy = Literal["any", "all", "majority"]
ApprovalState = Literal["unreviewed", "approved", "rejected", "needs_work", "void"]


class Judgement(Protocol):
    """The part of a review that decides."""

    @property
    def reviewer(self) -> str:
        """A pseudonym."""
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
    """The standing of a recording under a policy."""

    state: ApprovalState
    verdicts: dict[str, Verdict]
    """Each reviewer's last verdict on the recording as it is now."""
    void: tuple[str, ...] = ()
    """Reviewers whose last verdict was on other content."""


def standing(reviews: Iterable[Judgement], sha256: str, policy: Policy = "any") -> Standing:
    """Return the standing of a recording whose hash is `sha256` now.

    A verdict counts until its reviewer gives another or the recording changes. `any`: one
    approval is enough; `all`: every reviewer approves; `majority`: more than half do.
    """
    last = {review.reviewer: review for review in reviews if review.verdict is not None}
    verdicts = {
        reviewer: review.verdict
        for reviewer, review in last.items()
        if review.verdict is not None and review.sha256 == sha256
    }
    void = tuple(reviewer for reviewer in last if reviewer not in verdicts)
    return Standing(_state(list(verdicts.values()), policy, bool(void)), verdicts, void)


def _state(verdicts: list[Verdict], policy: Policy, void: bool) -> ApprovalState:
    if not verdicts:
        return "void" if void else "unreviewed"
    needed = {"any": 1, "all": len(verdicts), "majority": len(verdicts) // 2 + 1}[policy]
    if verdicts.count("approve") >= needed:
        return "approved"
    if verdicts.count("reject") >= verdicts.count("needs_work"):
        return "rejected"
    return "needs_work"
