"""Foreign reviews, and changed ones, do not count in another home."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from recordings.reviews.keys import ReviewKeys
from recordings.reviews.review import StepReview
from recordings.reviews.reviews import (
    add_review,
    counted_reviews,
    excluded_events,
    judged_reviews,
    read_reviews,
    vouch,
)
from recordings.storage.files import REVIEWS
from recordings.storage.lines import seal
from recordings.storage.log import recording_hash
from recordings.trust.home_key import HomeKey
from tests.recordings.recording_sessions import record_session

pytestmark = pytest.mark.hostile

OURS, THEIRS = HomeKey(b"o" * 32), HomeKey(b"t" * 32)
KEYS = ReviewKeys(OURS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded(tmp_path / "20261123-204950-a3f9c2")


def recorded(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    record_session(folder, rounds=1, seed=seed)
    return folder


def origins(folder: Path) -> list[str]:
    return [origin for _, origin in judged_reviews(folder, KEYS)]


def test_a_review_of_this_home_counts(folder: Path) -> None:
    review = add_review(folder, "ada", verdict="approve", key=OURS)
    assert counted_reviews(folder, KEYS) == [review] == read_reviews(folder)


@pytest.mark.parametrize("key", [None, THEIRS])
def test_a_review_that_arrives_is_shown_and_not_counted(folder: Path, key: HomeKey | None) -> None:
    add_review(folder, "ada", verdict="approve", steps=[StepReview(seq=3, exclude=True)], key=key)
    assert origins(folder) == ["foreign"]
    assert counted_reviews(folder, KEYS) == []
    assert excluded_events(counted_reviews(folder, KEYS)) == set()
    assert len(read_reviews(folder)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reviewer": "bob"},
        {"verdict": "approve"},
        {"sha256": "0" * 64},
        {"time": 4e9},
        {"note": "as ada said"},
        {"add_tags": ["gold"]},
        {"steps": []},
    ],
)
def test_a_review_whose_words_were_changed_is_told_and_not_counted(
    folder: Path, change: dict[str, object]
) -> None:
    steps = [StepReview(seq=3, exclude=True)]
    add_review(folder, "ada", verdict="reject", steps=steps, key=OURS)
    path = folder / REVIEWS
    line = orjson.loads(path.read_bytes()) | change
    del line["sum"]
    path.write_bytes(seal(orjson.dumps(line)[:-1])[0] + b"\n")
    assert origins(folder) == ["tampered"]
    assert counted_reviews(folder, KEYS) == []


def test_a_review_of_another_recording_does_not_count(folder: Path, tmp_path: Path) -> None:
    other = recorded(tmp_path / "20261123-204951-000000", seed=1)
    add_review(other, "ada", verdict="approve", key=OURS)
    (folder / REVIEWS).write_bytes((other / REVIEWS).read_bytes())
    assert origins(folder) == ["misplaced"]
    assert not vouch(folder, KEYS, for_signed=True)
    assert counted_reviews(folder, KEYS) == []


def test_lines_in_another_order_say_the_same(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve", key=OURS)
    last = add_review(folder, "ada", verdict="reject", key=OURS)
    lines = (folder / REVIEWS).read_bytes().splitlines(keepends=True)
    (folder / REVIEWS).write_bytes(b"".join(reversed(lines)))
    assert counted_reviews(folder, KEYS)[-1] == last


def test_old_reviews_are_vouched_for_with_their_bytes(folder: Path) -> None:
    review = add_review(folder, "ada", verdict="approve")
    before = (folder / REVIEWS).read_bytes()
    assert vouch(folder, KEYS)
    assert (folder / REVIEWS).read_bytes().startswith(before)
    assert counted_reviews(folder, KEYS) == [review]
    assert not vouch(folder, KEYS)
    add_review(folder, "bob", verdict="approve")
    assert origins(folder) == ["own", "foreign"]


def test_what_is_vouched_for_is_what_stood_there(folder: Path) -> None:
    add_review(folder, "ada", verdict="reject")
    vouch(folder, KEYS)
    lines = (folder / REVIEWS).read_bytes().splitlines(keepends=True)
    add_review(folder, "eve", verdict="approve")
    forged = (folder / REVIEWS).read_bytes().splitlines(keepends=True)[-1]
    (folder / REVIEWS).write_bytes(forged + lines[1])
    assert origins(folder) == ["foreign"]
    (folder / REVIEWS).write_bytes(forged + b"".join(lines))
    assert counted_reviews(folder, KEYS) == []


def test_a_signed_review_of_another_home_is_not_vouched_for_by_the_way(folder: Path) -> None:
    add_review(folder, "eve", verdict="approve", key=THEIRS)
    add_review(folder, "ada", verdict="reject")
    vouch(folder, KEYS)
    assert origins(folder) == ["foreign", "own"]
    vouch(folder, KEYS, for_signed=True)
    assert origins(folder) == ["own", "own"]


def test_a_verdict_is_of_one_content(folder: Path) -> None:
    review = add_review(folder, "ada", verdict="approve", key=OURS)
    assert review.sha256 == recording_hash(folder)
