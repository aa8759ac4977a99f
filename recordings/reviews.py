"""Reviews: who said what about a recording afterwards, in `reviews.jsonl` beside the log.

Append-only. Every review is pinned to the recording's hash: a verdict on other content is void.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from recordings.approval import Verdict
from recordings.encoding import encode
from recordings.errors import (
    MALFORMED,
    RecordingDamaged,
    RecordingFailed,
    RecordingNotFound,
    fault_of,
)
from recordings.events import Part
from recordings.files import REVIEWS
from recordings.lines import check_line, seal
from recordings.log import LogWriter, recording_hash
from recordings.opening import UnexpectedFile, read_file

VERSION = 1
_LARGEST = 64 << 20
"""Bytes of all reviews of a recording."""
FLAGS = ("good", "wrong", "wasteful", "unsafe", "wrong_observation", "unclear")
"""What a step is usually flagged as; other words are taken too."""


class StepReview(Part):
    """What a reviewer says about one event."""

    seq: int
    comment: str = ""
    flag: str | None = None
    exclude: bool | None = None
    """True: not to be trained on; false: taken back; none: nothing said."""


class Review(Part):
    """One reviewer's words at one time."""

    reviewer: str
    """A pseudonym."""
    time: float
    """Seconds since the epoch."""
    sha256: str
    """The recording's hash when it was reviewed."""
    verdict: Verdict | None = None
    note: str = ""
    rubric: dict[str, float | str] = Field(default_factory=dict)
    steps: tuple[StepReview, ...] = ()
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


def add_review(
    folder: Path,
    reviewer: str,
    *,
    verdict: Verdict | None = None,
    note: str = "",
    rubric: dict[str, float | str] | None = None,
    steps: Iterable[StepReview] = (),
    add_tags: Iterable[str] = (),
    remove_tags: Iterable[str] = (),
) -> Review:
    """Append a review of the recording as it is now; it is on the disk on return.

    Raises `RecordingNotFound`, `RecordingInUse`, `RecordingDamaged`, `RecordingFailed`.
    """
    review = Review(
        reviewer=reviewer,
        time=round(time.time(), 6),
        sha256=recording_hash(folder),
        verdict=verdict,
        note=note,
        rubric=rubric or {},
        steps=tuple(steps),
        add_tags=tuple(add_tags),
        remove_tags=tuple(remove_tags),
    )
    line, _ = seal(encode({"v": VERSION, **review.__dict__})[:-1])
    log = _open(folder)
    try:
        log.append(line, durable=True)
    finally:
        log.close()
    return review


def read_reviews(folder: Path) -> list[Review]:
    """Return the reviews of a recording, the oldest first; a torn last line is left out.

    Raises `RecordingDamaged`.
    """
    try:
        content = read_file(folder.parent, folder.name, REVIEWS, most=_LARGEST)
    except FileNotFoundError:
        return []
    except UnexpectedFile as error:
        raise RecordingDamaged(f"{error}.") from None
    reviews = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            if check_line(line) is None:
                raise ValueError("it is not what was written")
            parsed: dict[str, Any] = orjson.loads(line)
            del parsed["v"], parsed["sum"]
            reviews.append(Review.model_validate(parsed))
        except MALFORMED as error:
            raise RecordingDamaged(
                f"Line {number} of {folder / REVIEWS} is damaged ({fault_of(error)}): "
                "mend or remove it."
            ) from None
    return reviews


def excluded(reviews: Iterable[Review]) -> set[int]:
    """Return the events that some reviewer excludes from training."""
    words = {
        (review.reviewer, step.seq): step.exclude
        for review in reviews
        for step in review.steps
        if step.exclude is not None
    }
    return {seq for (_, seq), exclude in words.items() if exclude}


def tags(reviews: Iterable[Review], first: Iterable[str] = ()) -> set[str]:
    """Return a recording's tags: those it began with, and what reviewers added and removed."""
    found = set(first)
    for review in reviews:
        found = (found | set(review.add_tags)) - set(review.remove_tags)
    return found


def _open(folder: Path) -> LogWriter:
    with suppress(RecordingNotFound):
        return LogWriter.open(folder, REVIEWS)[0]
    with suppress(RecordingFailed):
        return LogWriter.create(folder, REVIEWS)
    # Another reviewer was a moment faster, or it cannot be written at all: then this says so.
    try:
        return LogWriter.open(folder, REVIEWS)[0]
    except RecordingNotFound:
        return LogWriter.create(folder, REVIEWS)
