"""Reviews: what people said of a recording, in `reviews.jsonl` beside the log.

Append-only. Every review has the recording's hash: a verdict on other content is void.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from pydantic import ValidationError

from recordings.errors import (
    RecordingError,
    RecordingFailed,
    RecordingNotFound,
    describe_malformed,
)
from recordings.reviews.approval import order_of
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.lines import (
    COUNTED,
    ReviewOrigin,
    needs_vouching,
    review_line,
    reviewed_lines,
    vouching_line,
)
from recordings.reviews.protocol import Role
from recordings.reviews.review import Review, Said
from recordings.storage.files import REVIEWS
from recordings.storage.log import LogWriter, recording_hash
from recordings.trust.home_key import HomeKey
from recordings.trust.person_key import PersonKey

PASSED_OVER = "passed-over"
"""Tag of a recording that no reviewer is given, because another of the same session is better."""


class ReviewUnusable(RecordingError):
    """Raised when a review is not within the limits of its fields."""


def add_review(
    folder: Path,
    reviewer: str,
    *,
    role: Role = "reviewer",
    guideline: str | None = None,
    key: HomeKey | None = None,
    person: PersonKey | None = None,
    **said: Unpack[Said],
) -> Review:
    """Append a review of the recording as it is now; it is on the disk on return.

    A home key proves it: without one it counts in no home. A
    person key signs it for other homes that know the public key.
    Raises `RecordingNotFound`, `RecordingInUse`, `RecordingDamaged`, `RecordingFailed`,
    `ReviewUnusable`, `ReviewTooLarge`.
    """
    who = {"reviewer": reviewer, "role": role, "time": round(time.time(), 6)}
    about = {"id": folder.name, "sha256": recording_hash(folder), "guideline": guideline}
    try:
        review = Review.model_validate({**who, **about, **said})
    except ValidationError as error:
        raise ReviewUnusable(f"The review cannot be kept: {describe_malformed(error)}.") from None
    _append(folder, review_line(review, key, person))
    return review


def vouch(folder: Path, keys: ReviewKeys, *, for_signed: bool = False) -> bool:
    """Vouch for the reviews so far, so that they count in this home; return whether there were any.

    These are the ones without a proof, of earlier versions; `for_signed`: also those of other
    homes, but never one that names a person whose key is known. A line is appended; the others do
    not change. Raises what `add_review` raises.
    """
    lines = reviewed_lines(folder, keys)
    if not any(needs_vouching(line, for_signed) for line in lines):
        return False
    content = b"".join(line.text + b"\n" for line in lines)
    said = {
        "vouches": len(lines),
        "for_signed": for_signed,
        "before": hashlib.sha256(content).hexdigest(),
        "time": round(time.time(), 6),
    }
    _append(folder, vouching_line(folder.name, said, keys.home))
    return True


def read_reviews(folder: Path) -> list[Review]:
    """Return all reviews of a recording, the oldest first, also foreign ones.

    A torn last line is skipped. Raises `RecordingDamaged`.
    """
    return [line.review for line in reviewed_lines(folder, None) if line.review is not None]


def judged_reviews(folder: Path, keys: ReviewKeys) -> list[tuple[Review, ReviewOrigin]]:
    """Return the reviews of a recording, each with its origin. Raises `RecordingDamaged`."""
    lines = reviewed_lines(folder, keys)
    return [(line.review, line.origin) for line in lines if line.review is not None]


def counted_reviews(folder: Path, keys: ReviewKeys | None) -> list[Review]:
    """Return the reviews that count in the home with these keys, by time; without keys all.

    Raises `RecordingDamaged`.
    """
    if keys is None:
        return read_reviews(folder)
    counted = [review for review, origin in judged_reviews(folder, keys) if origin in COUNTED]
    return sorted(counted, key=order_of)


def excluded_events(reviews: Iterable[Review]) -> set[int]:
    """Return the events that a reviewer excludes from training."""
    words = {
        (review.reviewer, step.seq): step.exclude
        for review in reviews
        for step in review.steps
        if step.exclude is not None
    }
    return {seq for (_, seq), exclude in words.items() if exclude}


def tags(reviews: Iterable[Review], first: Iterable[str] = ()) -> set[str]:
    """Return a recording's tags: the first ones, with those that reviewers added or removed."""
    found = set(first)
    for review in reviews:
        found = (found | set(review.add_tags)) - set(review.remove_tags)
    return found


def _append(folder: Path, line: bytes) -> None:
    log = _open(folder)
    try:
        log.append(line, durable=True)
    finally:
        log.close()


def _open(folder: Path) -> LogWriter:
    with suppress(RecordingNotFound):
        return LogWriter.open(folder, REVIEWS)[0]
    with suppress(RecordingFailed):
        return LogWriter.create(folder, REVIEWS)
    # Another reviewer created it, or it cannot be written: then this raises.
    try:
        return LogWriter.open(folder, REVIEWS)[0]
    except RecordingNotFound:
        return LogWriter.create(folder, REVIEWS)
