"""Lines of reviews of earlier versions are read for ever, and their bytes stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from recordings.reviews.keys import ReviewKeys
from recordings.reviews.lines import reviewed_lines
from recordings.reviews.review import LONGEST_TEXT, RubricAnswer, StepReview
from recordings.reviews.reviews import add_review, counted_reviews, judged_reviews, read_reviews
from recordings.storage.files import REVIEWS
from recordings.storage.lines import seal
from recordings.trust.home_key import HomeKey
from recordings.trust.person_key import PersonKey
from tests.recordings.recording_sessions import record_session

EARLIER = Path(__file__).with_name("earlier_reviews.jsonl")
"""Two lines of version 1, a line of version 2 that vouches for them, one that is a review, and two
of version 3, of another home and of this one; all sii itself wrote."""
KEYS = ReviewKeys(HomeKey(b"o" * 32), {"ada": (PersonKey(b"a" * 32).public,)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()
    record_session(folder, rounds=1)
    shutil.copy(EARLIER, folder / REVIEWS)
    return folder


def test_who_wrote_them_is_as_it_was(folder: Path) -> None:
    versions = [orjson.loads(line.text)["v"] for line in reviewed_lines(folder, KEYS)]
    assert versions == [1, 1, 2, 2, 3, 3]
    told = [(review.reviewer, origin) for review, origin in judged_reviews(folder, KEYS)]
    # The first is not signed by ada, whose key is known: it counts because this home vouched.
    assert told == [
        ("ada", "own"),
        ("bob", "own"),
        ("cyd", "own"),
        ("ada", "person"),
        ("ada", "own"),
    ]


def test_they_say_what_they_said(folder: Path) -> None:
    first, bob, cyd, signed, last = read_reviews(folder)
    assert {review.role for review in (first, bob, cyd, signed, last)} == {None}
    assert {review.id for review in (first, bob, cyd, signed, last)} == {folder.name}
    assert cyd == first.model_copy(update={"reviewer": "cyd", "time": cyd.time})
    assert first.rubric == {
        "Correct?": RubricAnswer(kind="scale", value=2.0),
        "style": RubricAnswer(kind="text", value="terse"),
    }
    assert first.steps == (
        StepReview(seq=3, comment="why?", flags=("wasteful",), exclude=True),
        StepReview(seq=4, mark="good"),
        StepReview(seq=5, flags=("odd",), exclude=False),
    )
    assert (first.verdict, first.note) == ("reject", "it guessed")
    assert (first.add_tags, first.remove_tags) == (("hard",), ("easy",))
    assert (signed.verdict, last.verdict, last.note) == ("approve", None, "see 1")


def test_their_bytes_stay_when_another_follows(folder: Path) -> None:
    added = add_review(folder, "dan", verdict="approve", key=KEYS.home)
    assert (folder / REVIEWS).read_bytes().startswith(EARLIER.read_bytes())
    assert counted_reviews(folder, KEYS)[-1] == added


def test_limits_of_now_are_not_those_of_then(folder: Path) -> None:
    said = orjson.loads(EARLIER.read_bytes().splitlines()[0])
    del said["sum"]
    said |= {"note": "x" * 2 * LONGEST_TEXT, "sha256": "before there were hashes"}
    (folder / REVIEWS).write_bytes(seal(orjson.dumps(said)[:-1])[0] + b"\n")
    (review,) = read_reviews(folder)
    assert review.note == said["note"]
