"""Reads what lines of reviews of versions 1 to 3 say: fewer fields, without limits of their own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from recordings.events import EventPart
from recordings.reviews.approval import Verdict
from recordings.reviews.review import Review, RubricAnswer, StepReview


class _EarlierStep(EventPart):
    seq: int
    comment: str = ""
    flag: str | None = None
    exclude: bool | None = None


class _EarlierReview(EventPart):
    reviewer: str
    time: float
    sha256: str
    verdict: Verdict | None = None
    note: str = ""
    rubric: dict[str, float | str] = Field(default_factory=dict)
    steps: tuple[_EarlierStep, ...] = ()
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


def earlier_review(said: dict[str, Any], session: str) -> Review:
    """Return an earlier line as a review of a session. Raises `ValidationError`.

    The limits of a line are not those of its time: what was within the file is read.
    """
    earlier = _EarlierReview.model_validate(said)
    return Review.model_construct(
        reviewer=earlier.reviewer,
        role=None,
        time=earlier.time,
        id=session,
        sha256=earlier.sha256,
        verdict=earlier.verdict,
        note=earlier.note,
        rubric={name: _answer(value) for name, value in earlier.rubric.items()},
        steps=tuple(map(_step, earlier.steps)),
        add_tags=earlier.add_tags,
        remove_tags=earlier.remove_tags,
    )


def _answer(value: float | str) -> RubricAnswer:
    return RubricAnswer.model_construct(
        kind="text" if isinstance(value, str) else "scale", value=value
    )


def _step(step: _EarlierStep) -> StepReview:
    """Return the remarks on a step; `good` was a flag."""
    is_good = step.flag == "good"
    return StepReview.model_construct(
        seq=step.seq,
        comment=step.comment,
        mark="good" if is_good else None,
        flags=() if is_good or step.flag is None else (step.flag,),
        exclude=step.exclude,
    )
