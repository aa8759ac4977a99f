"""The questions that a reviewer answers about a whole recording: the protocol's, and a file's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.reviews.protocol import LONGEST_NAME
from recordings.reviews.rubric import AnswerUnusable, RubricQuestion
from recordings.storage.opening import read_given
from sii_cli.errors import UsageError

if TYPE_CHECKING:
    from recordings.reviews.review import RubricAnswer

_LARGEST_RUBRIC = 1 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class ReviewQuestion:
    """A question as it is asked in the terminal."""

    name: str
    schema: RubricQuestion | None = None
    """What the protocol says of it; `None` for a line of a file, which a number or words answer."""

    @property
    def title(self) -> str:
        """What is shown."""
        return (self.schema and self.schema.title) or self.name

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be answered; empty for a scale or a text."""
        return self.schema.choices if self.schema is not None else ()

    @property
    def limits(self) -> str:
        """The ends of a scale, in words; empty for what has none."""
        return self.schema.limits if self.schema is not None else ""

    @property
    def is_required(self) -> bool:
        """Whether a verdict wants it answered."""
        return self.schema is not None and self.schema.required

    def answer(self, said: str, about: int | None = None) -> RubricAnswer:
        """Return what was typed as an answer; one that cites refers to the event `about`.

        Raises `AnswerUnusable`.
        """
        if self.schema is None:
            return _free_answer(said)
        cites = (about,) if self.schema.cites and about is not None else ()
        return self.schema.answer(said, cites)

    def answer_of_digit(self, digit: int) -> RubricAnswer:
        """Return what a digit answers: that choice, or that number. Raises `AnswerUnusable`."""
        if self.schema is not None and self.schema.kind == "text":
            raise AnswerUnusable("words: = begins them")
        if not self.choices:
            return self.answer(str(digit))
        if not 1 <= digit <= len(self.choices):
            raise AnswerUnusable(f"a number from 1 to {len(self.choices)}")
        return self.answer(self.choices[digit - 1])


def read_questions(rubric: Path | None) -> tuple[ReviewQuestion, ...]:
    """Return the questions of a file, one a line, that a review can hold. Raises `UsageError`."""
    if rubric is None:
        return ()
    from recordings.reviews.review import MOST_ANSWERS

    try:
        lines = read_given(rubric, _LARGEST_RUBRIC).decode().splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{rubric} is not a text.") from None
    questions = []
    for number, line in enumerate(lines, 1):
        name = "" if line.startswith("#") else line.strip()
        if len(name) > LONGEST_NAME:
            raise UsageError(f"{rubric}:{number}: use at most {LONGEST_NAME} characters.")
        questions += [ReviewQuestion(name)] if name else []
    if len(questions) > MOST_ANSWERS:
        raise UsageError(f"{rubric} has more than {MOST_ANSWERS} criteria: use fewer.")
    return tuple(questions)


def _free_answer(said: str) -> RubricAnswer:
    from recordings.reviews.review import RubricAnswer

    try:
        number = float(said)
    except ValueError:
        return RubricAnswer(kind="text", value=said)
    if math.isfinite(number):
        return RubricAnswer(kind="scale", value=number)
    return RubricAnswer(kind="text", value=said)
