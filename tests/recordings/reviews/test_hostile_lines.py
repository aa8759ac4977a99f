"""A line of a review is within limits, also a foreign one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.errors import RecordingDamaged
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.lines import LONGEST_LINE, ReviewTooLarge
from recordings.reviews.protocol import LONGEST_NAME
from recordings.reviews.review import LONGEST_TEXT, MOST_STEPS, StepReview
from recordings.reviews.reviews import ReviewUnusable, add_review, judged_reviews, read_reviews
from recordings.storage.files import REVIEWS
from recordings.storage.lines import seal
from recordings.trust.home_key import HomeKey
from tests.recordings.recording_sessions import record_session

pytestmark = pytest.mark.hostile

KEYS = ReviewKeys(HomeKey(b"o" * 32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()
    record_session(folder, rounds=1)
    return folder


def planted(folder: Path, change: dict[str, Any]) -> None:
    """Write a line as another person would, with a checksum that fits."""
    add_review(folder, "eve", verdict="approve")
    said = orjson.loads((folder / REVIEWS).read_bytes()) | change
    del said["sum"]
    (folder / REVIEWS).write_bytes(seal(orjson.dumps(said)[:-1])[0] + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        {"reviewer": ""},
        {"reviewer": "x" * (LONGEST_NAME + 1)},
        {"reviewer": None},
        {"role": "king"},
        {"role": None},
        {"kind": "person"},
        {"id": ["a"]},
        {"sha256": "0" * 63},
        {"sha256": "0" * 64 + "\n"},
        {"guideline": "the one of May"},
        {"time": 1e300},
        {"time": "noon"},
        {"seconds": -1},
        {"seconds": 1e10},
        {"confidence": 1.1},
        {"blind": "perhaps"},
        {"verdict": "approved"},
        {"note": "x" * (LONGEST_TEXT + 1)},
        {"rubric": {"right?": 2.0}},
        {"rubric": {"right?": {"kind": "scale", "value": "two"}}},
        {"rubric": {"right?": {"kind": "choice", "value": 2.0}}},
        {"rubric": {"right?": {"kind": "text", "value": "no", "cites": [-1]}}},
        {"rubric": {f"{n}?": {"kind": "scale", "value": n} for n in range(201)}},
        {"steps": [{"seq": 1 << 53}]},
        {"steps": [{"seq": 1, "mark": "fine"}]},
        {"steps": [{"seq": 1, "flag": "wrong"}]},
        {"steps": [{"seq": n} for n in range(MOST_STEPS + 1)]},
        {"coverage": {"steps": 1}},
        {"coverage": {"steps": -1, "of_steps": 2, "folds": None}},
        {"add_tags": ["x"] * 101},
        {"approved": True},
    ],
)
def test_a_line_out_of_its_limits_is_damage_with_its_place(
    folder: Path, change: dict[str, Any]
) -> None:
    planted(folder, change)
    with pytest.raises(RecordingDamaged, match=r"^Line 1 of .*: correct or remove it\.$"):
        read_reviews(folder)


def test_a_line_that_is_larger_than_any_review_is_damage(folder: Path) -> None:
    steps = [{"seq": n, "comment": "x" * LONGEST_TEXT} for n in range(17)]
    planted(folder, {"steps": steps})
    with pytest.raises(RecordingDamaged, match=f"more than {LONGEST_LINE:,} bytes"):
        read_reviews(folder)


def test_a_review_out_of_the_limits_is_one_sentence(folder: Path) -> None:
    with pytest.raises(ReviewUnusable, match="note: String should have at most 65536 characters"):
        add_review(folder, "ada", note="x" * (LONGEST_TEXT + 1))
    steps = [StepReview(seq=n, comment="x" * LONGEST_TEXT) for n in range(17)]
    with pytest.raises(ReviewTooLarge, match="larger than 1 MiB"):
        add_review(folder, "ada", steps=steps)
    assert not (folder / REVIEWS).exists()


@pytest.mark.parametrize(
    ("change", "origin"),
    [
        ({}, "foreign"),
        ({"kind": "candidate"}, "misplaced"),
        ({"id": "20261123-204951-000000"}, "misplaced"),
        ({"home": KEYS.home.name}, "tampered"),
        ({"home": KEYS.home.name, "proof": "0" * 64}, "tampered"),
        ({"proof": "0" * 64, "home": "0" * 16}, "foreign"),
        ({"signature": "0" * 128}, "foreign"),
    ],
)
def test_a_line_of_others_is_never_own(folder: Path, change: dict[str, Any], origin: str) -> None:
    planted(folder, change)
    assert [told for _, told in judged_reviews(folder, KEYS)] == [origin]
