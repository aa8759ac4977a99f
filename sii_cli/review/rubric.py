"""The questions that a reviewer answers about a whole recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from recordings.reviews.review import LONGEST_NAME, MOST_ANSWERS, RubricAnswer
from recordings.storage.opening import read_given
from sii_cli.errors import UsageError

_LARGEST_RUBRIC = 1 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class ReviewQuestion:
    """One question of the rubric."""

    name: str
    choices: tuple[str, ...] = ()
    """What may be answered; empty means a number or words."""

    def answer_of_digit(self, digit: int) -> RubricAnswer | None:
        """Return what a digit answers, or `None` where it answers nothing."""
        if not self.choices:
            return RubricAnswer(kind="scale", value=float(digit))
        if 1 <= digit <= len(self.choices):
            return RubricAnswer(kind="choice", value=self.choices[digit - 1])
        return None


def answer_of_text(text: str) -> RubricAnswer:
    """Return what was typed as an answer: a number is one on a scale."""
    try:
        number = float(text)
    except ValueError:
        return RubricAnswer(kind="text", value=text)
    if math.isfinite(number):
        return RubricAnswer(kind="scale", value=number)
    return RubricAnswer(kind="text", value=text)


def read_questions(rubric: Path | None) -> tuple[ReviewQuestion, ...]:
    """Return the questions of a file, one a line, that a review can hold. Raises `UsageError`."""
    try:
        lines = read_given(rubric, _LARGEST_RUBRIC).decode().splitlines() if rubric else []
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
