"""A review: what one person, model or check said of a recording or of a candidate for a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypedDict

from pydantic import Field, model_validator

from recordings.events import EventPart
from recordings.reviews.approval import Verdict
from recordings.reviews.protocol import LONGEST_NAME, Role

Subject = Literal["recording", "candidate"]
Mark = Literal["good", "neutral", "bad"]
FLAGS = ("wrong", "wasteful", "unsafe", "wrong_observation", "unclear", "star")
"""The usual flags of a step; other words are accepted too."""

LONGEST_TEXT = 1 << 16
"""Characters of a note, a comment or an answer."""
MOST_STEPS = 10_000
MOST_ANSWERS = 200
MOST_WORDS = 100
"""Tags of a review; flags of a step."""
MOST_CITES = 1000
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_800
"""Seconds since the epoch at the beginning of the year 1 and the end of the year 9999."""
_LARGEST = (1 << 53) - 1
"""Largest integer that every reader of JSON holds exactly."""

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Words = Annotated[tuple[Name, ...], Field(max_length=MOST_WORDS)]


class RubricAnswer(EventPart):
    """The answer to one question of the rubric."""

    kind: Literal["choice", "scale", "text"]
    value: Number | Text
    """A number for a scale, words for a choice or a text."""
    cites: Annotated[tuple[Count, ...], Field(max_length=MOST_CITES)] = ()
    """Events that the answer refers to."""

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> RubricAnswer:
        if (self.kind == "scale") is isinstance(self.value, str):
            raise ValueError("a scale has a number, a choice or a text has words")
        return self


class StepReview(EventPart):
    """What a review says about one event."""

    seq: Count
    """Number of the event."""
    comment: Text = ""
    mark: Mark | None = None
    """`null`: not judged, which is not `neutral`."""
    flags: Words = ()
    """`wrong`, `wasteful`, `unsafe`, `wrong_observation`, `unclear`, `star`, or another word."""
    exclude: bool | None = None
    """True excludes it from training, false takes that back, `null` says nothing."""


class Coverage(EventPart):
    """How much of a recording was opened for the review."""

    steps: Count
    """Steps that were shown."""
    of_steps: Count
    """Steps that there are."""
    folds: Count | None
    """Folded outputs that were opened; `null`: nothing was folded."""
    floor: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the steps that the protocol wanted opened (`coverage_floor`)."""
    later: ClassVar[frozenset[str]] = frozenset({"floor"})

    @property
    def is_below_floor(self) -> bool:
        """Whether fewer steps were opened than the protocol wanted."""
        return self.floor is not None and self.steps < self.floor * self.of_steps

    @property
    def words(self) -> str:
        """What is below the floor, in words."""
        floor = f"below the {self.floor or 0:.0%} that the protocol wants"
        return f"{self.steps:,} of {self.of_steps:,} steps opened, {floor}"


class Review(EventPart):
    """What was said of one subject at one time."""

    reviewer: Name
    """A pseudonym; the name of a model or of a check."""
    role: Role | None = "reviewer"
    """`null` before version 4."""
    time: Annotated[float, Field(ge=_EARLIEST, lt=_LATEST)]
    """Seconds since the epoch."""
    seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """Time spent on it, without breaks; `null` where it was not measured."""
    kind: Subject = "recording"
    """What it is about."""
    id: Name
    """The recording's or the candidate's."""
    sha256: Sha256
    """The hash of that when it was reviewed: the verdict is void for other content."""
    guideline: Sha256 | None = None
    """Hash of the guideline that the reviewer followed."""
    blind: bool = False
    """Whether the verdicts of others were hidden until this one was given."""
    verdict: Verdict | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """How sure the reviewer is, from 0 to 1."""
    note: Text = ""
    rubric: Annotated[dict[Name, RubricAnswer], Field(max_length=MOST_ANSWERS)] = Field({})
    """The answers, by question."""
    steps: Annotated[tuple[StepReview, ...], Field(max_length=MOST_STEPS)] = ()
    coverage: Coverage | None = None
    add_tags: Words = ()
    remove_tags: Words = ()


class Said(TypedDict, total=False):
    """The fields of a review that say what the reviewer found."""

    seconds: float | None
    blind: bool
    verdict: Verdict | None
    confidence: float | None
    note: str
    rubric: Mapping[str, RubricAnswer]
    steps: Sequence[StepReview]
    coverage: Coverage | None
    add_tags: Sequence[str]
    remove_tags: Sequence[str]
