"""Reviews: appended, pinned to what was reviewed, judged by a policy."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from recordings.errors import RecordingDamaged, RecordingFailed, RecordingNotFound
from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.reviews.approval import standing
from recordings.reviews.protocol import Policy, ReviewProtocol
from recordings.reviews.review import Coverage, RubricAnswer, StepReview
from recordings.reviews.reviews import (
    add_review,
    excluded_events,
    read_reviews,
    tags,
)
from recordings.storage.files import REVIEWS
from recordings.storage.log import recording_hash
from recordings.storage.pack import pack
from recordings.verify import verify
from tests.recordings.recording_sessions import record_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record_session(tmp_path)
    return tmp_path


def state(folder: Path, policy: Policy = "undisputed") -> str:
    protocol = ReviewProtocol(policy)
    return standing(read_reviews(folder), recording_hash(folder), protocol).state


def test_a_review_comes_back_with_reviewer_time_and_the_recordings_hash(folder: Path) -> None:
    review = add_review(
        folder,
        "ada",
        verdict="needs_work",
        note="the last step is wasteful",
        rubric={
            "correct": RubricAnswer(kind="scale", value=2),
            "style": RubricAnswer(kind="text", value="terse", cites=(4,)),
            "verdict of the test": RubricAnswer(kind="choice", value="unfair"),
        },
        steps=[
            StepReview(seq=4, comment="why?", mark="bad", flags=("wasteful", "star"), exclude=True)
        ],
        role="lead",
        seconds=12.5,
        guideline="ab" * 32,
        blind=True,
        confidence=0.75,
        coverage=Coverage(steps=3, of_steps=4, folds=0),
    )
    assert read_reviews(folder) == [review]
    assert review.sha256 == recording_hash(folder) == verify(folder).head
    assert review.time > 1.7e9


def test_a_review_has_the_floor_of_its_coverage_only_where_there_is_one(folder: Path) -> None:
    add_review(folder, "ada", coverage=Coverage(steps=3, of_steps=4, folds=0))
    assert b'"floor"' not in (folder / REVIEWS).read_bytes()
    add_review(folder, "bob", coverage=Coverage(steps=3, of_steps=10, folds=0, floor=0.3))
    add_review(folder, "eve", coverage=Coverage(steps=2, of_steps=10, folds=0, floor=0.3))
    found = [one.coverage for one in read_reviews(folder)]
    assert [one is not None and one.is_below_floor for one in found] == [False, False, True]


def test_reviews_leave_the_recording_as_it_is(folder: Path) -> None:
    before = recording_hash(folder)
    add_review(folder, "ada", verdict="approve")
    assert recording_hash(folder) == before
    assert verify(folder).whole


def test_an_approval_is_void_when_the_recording_changed(folder: Path) -> None:
    assert state(folder) == "unreviewed"
    add_review(folder, "ada", verdict="approve")
    assert state(folder) == "approved"
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=3, text="one more thing"), "human")
    recorder.close()
    assert state(folder) == "void"
    assert standing(read_reviews(folder), recording_hash(folder)).void == ("ada",)
    add_review(folder, "ada", verdict="approve")
    assert state(folder) == "approved"


def test_packing_keeps_an_approval(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve")
    pack(folder)
    assert state(folder) == "approved"


def test_a_reviewers_last_verdict_counts(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve")
    add_review(folder, "ada", verdict="reject", note="on second thoughts")
    add_review(folder, "ada", note="a note takes nothing back")
    assert state(folder) == "rejected"


def test_steps_are_excluded_until_the_same_reviewer_takes_it_back(folder: Path) -> None:
    add_review(
        folder, "ada", steps=[StepReview(seq=4, exclude=True), StepReview(seq=6, exclude=True)]
    )
    add_review(folder, "bob", steps=[StepReview(seq=4, exclude=False)])
    assert excluded_events(read_reviews(folder)) == {4, 6}
    add_review(folder, "ada", steps=[StepReview(seq=6, exclude=False)])
    assert excluded_events(read_reviews(folder)) == {4}


def test_tags_are_added_and_removed(folder: Path) -> None:
    add_review(folder, "ada", add_tags=["hard", "python"])
    add_review(folder, "ada", remove_tags=["hard"])
    assert tags(read_reviews(folder), ["first"]) == {"first", "python"}


def test_reviewers_at_the_same_time_lose_nothing(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add_review(folder, f"reviewer-{n}", verdict="approve"), range(16)))
    assert len(read_reviews(folder)) == 16


def test_a_torn_review_is_cut_and_a_changed_one_is_named(folder: Path) -> None:
    first = add_review(folder, "ada", verdict="reject")
    with open(folder / REVIEWS, "ab") as file:
        file.write(b'{"v":1,"revie')
    assert read_reviews(folder) == [first]
    second = add_review(folder, "bob")
    assert read_reviews(folder) == [first, second]
    (folder / REVIEWS).write_bytes((folder / REVIEWS).read_bytes().replace(b"reject", b"approve"))
    with pytest.raises(RecordingDamaged, match="Line 1"):
        read_reviews(folder)


def test_no_recording_and_no_permissions_are_sentences(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordingNotFound):
        add_review(tmp_path / "missing", "ada")
    really_open = os.open

    def refused(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise PermissionError(13, "no")
        return really_open(path, flags, *rest, **named)

    monkeypatch.setattr("os.open", refused)
    with pytest.raises(RecordingFailed, match="correct its permissions"):
        add_review(folder, "ada")
