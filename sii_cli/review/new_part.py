"""What is new to a reviewer in a recording that was continued, forked or repaired."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from recordings.errors import RecordingNotFound
from recordings.reviews.judged_part import judged_until
from recordings.reviews.review import Review
from recordings.reviews.reviews import counted_reviews
from recordings.store.resolve import resolve
from sii_cli.config.home_key import review_keys
from sii_cli.options.recordings import open_stores


def first_new_event(folder: Path, reviewer: str) -> int | None:
    """Return the first event that a reviewer has not judged, or `None` where all is new.

    Raises `RecordingError`.
    """
    until = judged_until(folder, reviewer, _reviews_of, _folder_of)
    return None if until is None else until + 1


def judged_words(new: int) -> str:
    """Return what was judged of a recording whose first new event is this."""
    return f"You have judged this, or what it was forked from, up to event {new - 1}"


def _reviews_of(folder: Path) -> list[Review]:
    return counted_reviews(folder, review_keys(folder))


def _folder_of(name: str) -> Path | None:
    with suppress(RecordingNotFound):
        return resolve(name, open_stores())
    return None
