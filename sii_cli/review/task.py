"""What a reviewer is asked to do with one recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recordings.reviews.review import StepReview
    from sii_cli.review.rubric import ReviewQuestion


@dataclass(frozen=True, slots=True)
class ReviewTask:
    """What a reviewer is asked to do with one recording."""

    folder: Path
    sha256: str
    """The hash of what is judged."""
    number: int = 1
    of: int = 1
    """Where one is: item `number` of `of`."""
    questions: tuple[ReviewQuestion, ...] = ()
    flags: tuple[str, ...] = ()
    """What `f` and a digit say of a step; empty: the usual words."""
    guideline: str = ""
    own_keys: str = ""
    """What of the reviewer's keys differs from the usual ones, in a line."""
    read_notes: Callable[[], Sequence[str]] = tuple
    """Reads what else is shown on the first screen, in a line each: warnings, other reviews."""
    earlier: tuple[StepReview, ...] = ()
    """What the reviewer said of its events in earlier reviews."""
    shows_check: bool = True
    """Whether the check and the outcome are shown before the own verdict."""
    blind: bool = False
    new_from: int | None = None
    """The first event that the reviewer has not judged; `None`: all is new."""
    before: str = ""
    """What was sent before this one, in words."""
    coverage_floor: float = 0.0
    """Share of the entries that the protocol wants opened."""
