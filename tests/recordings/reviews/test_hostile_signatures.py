"""A review from elsewhere counts when the person whom it names signed it, and for nobody else."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.errors import RecordingDamaged
from recordings.index.find import Filter, find
from recordings.index.index import RecordingIndex
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.lines import MOST_LINES, reviewed_lines
from recordings.reviews.review import RubricAnswer, StepReview
from recordings.reviews.reviews import (
    add_review,
    counted_reviews,
    judged_reviews,
    read_reviews,
    vouch,
)
from recordings.storage.files import REVIEWS
from recordings.storage.lines import seal
from recordings.store.store import RecordingStore
from recordings.trust.home_key import HomeKey
from recordings.trust.person_key import PersonKey
from tests.recordings.recording_sessions import record_session

pytestmark = pytest.mark.hostile

THEIR_HOME = HomeKey(b"t" * 32)
ADA, BOB = PersonKey(b"a" * 32), PersonKey(b"b" * 32)
LEAD = ReviewKeys(HomeKey(b"o" * 32), {"ada": (ADA.public,), "bob": (BOB.public,)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded(tmp_path / "20261123-204950-a3f9c2")


def recorded(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    record_session(folder, rounds=1, seed=seed)
    return folder


def signed(folder: Path, person: PersonKey | None = ADA, reviewer: str = "ada") -> None:
    """Write a review as another home does."""
    steps = [StepReview(seq=3, comment="why?", exclude=True)]
    add_review(
        folder,
        reviewer,
        verdict="approve",
        note="fine",
        rubric={"correct": RubricAnswer(kind="scale", value=2)},
        steps=steps,
        add_tags=["gold"],
        key=THEIR_HOME,
        person=person,
    )


def origins(folder: Path, keys: ReviewKeys = LEAD) -> list[str]:
    return [origin for _, origin in judged_reviews(folder, keys)]


def line_of(folder: Path) -> bytes:
    return (folder / REVIEWS).read_bytes().splitlines()[-1]


def resealed(line: bytes) -> bytes:
    """The line with a checksum that fits, as somebody who changes it would write it."""
    return seal(line[: line.rindex(b',"sum":')])[0] + b"\n"


def test_a_review_signed_by_the_person_it_names_counts(folder: Path) -> None:
    signed(folder)
    assert origins(folder) == ["person"]
    assert counted_reviews(folder, LEAD) == read_reviews(folder)
    assert counted_reviews(folder, LEAD)[0].note == "fine"


def test_lines_that_arrive_are_appended_to_those_of_this_home(folder: Path, tmp_path: Path) -> None:
    add_review(folder, "lea", verdict="reject")
    vouch(folder, LEAD)
    copy = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, copy)
    signed(copy)
    with open(folder / REVIEWS, "ab") as file:
        file.write((copy / REVIEWS).read_bytes())
    assert origins(folder) == ["own", "foreign", "person"]
    assert [review.reviewer for review in counted_reviews(folder, LEAD)] == ["lea", "ada"]


def test_it_counts_in_its_own_home_without_a_list_of_people(folder: Path) -> None:
    signed(folder)
    assert origins(folder, ReviewKeys(THEIR_HOME)) == ["own"]


@pytest.mark.parametrize(
    ("person", "reviewer", "origin"),
    [
        (BOB, "ada", "unsigned"),
        (ADA, "bob", "unsigned"),
        (PersonKey(b"e" * 32), "ada", "unsigned"),
        (None, "ada", "unsigned"),
        (ADA, "Ada", "foreign"),
        (ADA, "eve", "foreign"),
        (None, "eve", "foreign"),
    ],
)
def test_the_signature_of_another_person_counts_for_nobody(
    folder: Path, person: PersonKey | None, reviewer: str, origin: str
) -> None:
    signed(folder, person, reviewer)
    assert origins(folder) == [origin]
    assert counted_reviews(folder, LEAD) == []


def test_a_line_of_an_earlier_version_is_not_signed(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve")
    assert origins(folder) == ["unsigned"]


@pytest.mark.parametrize(
    "change",
    [
        {"reviewer": "bob"},
        {"verdict": "reject"},
        {"sha256": "0" * 64},
        {"time": 4e9},
        {"note": "Fine"},
        {"rubric": {"correct": {"kind": "scale", "value": 3.0, "cites": []}}},
        {"steps": []},
        {"add_tags": ["silver"]},
        {"role": "adjudicator"},
        {"blind": True},
        {"home": "0" * 16},
    ],
)
def test_a_changed_word_is_not_counted(folder: Path, change: dict[str, object]) -> None:
    signed(folder)
    said = orjson.loads(line_of(folder)) | change
    (folder / REVIEWS).write_bytes(resealed(orjson.dumps(said)))
    assert origins(folder) == ["unsigned"]


def test_a_signature_is_of_one_recording(folder: Path, tmp_path: Path) -> None:
    other = recorded(tmp_path / "20261123-204951-000000", seed=1)
    signed(other)
    (folder / REVIEWS).write_bytes((other / REVIEWS).read_bytes())
    assert origins(other) == ["person"]
    assert origins(folder) == ["misplaced"]
    moved = line_of(folder).replace(other.name.encode(), folder.name.encode())
    (folder / REVIEWS).write_bytes(resealed(moved))
    assert origins(folder) == ["unsigned"]


def test_a_signature_is_of_one_line(folder: Path) -> None:
    signed(folder)
    said = orjson.loads(line_of(folder))
    add_review(folder, "ada", verdict="reject", key=THEIR_HOME, person=ADA)
    other = orjson.loads(line_of(folder)) | {"signature": said["signature"]}
    (folder / REVIEWS).write_bytes(resealed(orjson.dumps(other)))
    assert origins(folder) == ["unsigned"]


@pytest.mark.parametrize("place", [b',"signature":"', b',"proof":"', b',"sum":"'])
@pytest.mark.parametrize("twice", [False, True])
def test_words_put_in_beside_a_signature_are_not_counted(
    folder: Path, place: bytes, twice: bool
) -> None:
    signed(folder)
    before, mark, after = line_of(folder).partition(place)
    ends = line_of(folder)[
        line_of(folder).index(b',"signature":"') : line_of(folder).index(b',"sum')
    ]
    words = (ends if twice else b"") + b',"note":"evil"'
    (folder / REVIEWS).write_bytes(resealed(before + words + mark + after))
    assert [review.note for review in read_reviews(folder)] == ["evil"]
    assert origins(folder) == ["unsigned"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_line_is_not_read_as_one_of_another_version(folder: Path, version: int) -> None:
    signed(folder)
    line = line_of(folder).replace(b'{"v":4', b'{"v":%d' % version, 1)
    (folder / REVIEWS).write_bytes(resealed(line))
    with pytest.raises(RecordingDamaged, match="Line 1"):
        reviewed_lines(folder, LEAD)


def test_a_signature_of_version_3_is_none_of_version_2(folder: Path) -> None:
    earlier = Path(__file__).with_name("earlier_reviews.jsonl").read_bytes().splitlines()[-1]
    (folder / REVIEWS).write_bytes(resealed(earlier.replace(b'{"v":3', b'{"v":2', 1)))
    with pytest.raises(RecordingDamaged, match="signature"):
        reviewed_lines(folder, LEAD)


def test_one_key_of_several_is_enough(folder: Path) -> None:
    signed(folder)
    people = {"ada": (PersonKey(b"n" * 32).public, ADA.public)}
    assert origins(folder, ReviewKeys(LEAD.home, people)) == ["person"]


def test_what_is_no_point_of_the_curve_signs_nothing(folder: Path) -> None:
    signed(folder)
    people = {"ada": ("ed25519:" + "f" * 64, "ed25519:" + "0" * 64)}
    assert origins(folder, ReviewKeys(LEAD.home, people)) == ["unsigned"]


def test_a_yes_to_reviews_counts_nobody_whose_key_is_known(folder: Path) -> None:
    signed(folder, BOB)
    add_review(folder, "ada", verdict="approve")
    assert not vouch(folder, LEAD, for_signed=True)
    signed(folder, None, "eve")
    assert vouch(folder, LEAD, for_signed=True)
    assert origins(folder) == ["unsigned", "unsigned", "own"]
    assert not vouch(folder, LEAD, for_signed=True)


def test_a_line_that_claims_this_home_is_not_vouched_for(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve", key=LEAD.home)
    line = line_of(folder).replace(b'"approve"', b'"reject"')
    (folder / REVIEWS).write_bytes(resealed(line))
    assert origins(folder) == ["tampered"]
    assert not vouch(folder, LEAD, for_signed=True)


def test_what_stood_in_the_home_before_it_had_a_key_counts_for_its_people_too(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve")
    assert vouch(folder, ReviewKeys(LEAD.home))
    assert origins(folder) == ["own"]


def test_this_home_writes_for_a_person_whose_key_is_known(folder: Path) -> None:
    add_review(folder, "ada", verdict="approve", key=LEAD.home)
    assert origins(folder) == ["own"]


def test_nobody_signs_what_vouches_for_others(folder: Path) -> None:
    add_review(folder, "eve", verdict="approve")
    vouch(folder, ReviewKeys(THEIR_HOME))
    assert b"signature" not in line_of(folder)
    assert origins(folder) == ["foreign"]


def test_the_index_judges_again_when_a_key_is_known_or_no_longer(tmp_path: Path) -> None:
    store = RecordingStore(tmp_path / "recordings")
    _, folder = store.create_folder()
    record_session(folder, rounds=1)
    signed(folder)
    for keys, approval in [
        (ReviewKeys(LEAD.home), "unreviewed"),
        (LEAD, "approved"),
        (ReviewKeys(LEAD.home, {"ada": (BOB.public,)}), "unreviewed"),
    ]:
        with RecordingIndex(store, keys=keys) as index:
            index.refresh()
            assert [one.approval for one in find(index, Filter())] == [approval]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), byte=st.integers(0, 255), is_resealed=st.booleans())
def test_no_changed_byte_changes_what_counts(
    folder: Path, place: int, byte: int, is_resealed: bool
) -> None:
    if not (folder / REVIEWS).exists():
        signed(folder)
        (folder / "kept").write_bytes(line_of(folder) + b"\n")
    line = bytearray((folder / "kept").read_bytes())
    (folder / REVIEWS).write_bytes(line)
    before = read_reviews(folder)
    line[place % len(line)] = byte
    changed = resealed(bytes(line)) if is_resealed and b',"sum":' in line else bytes(line)
    (folder / REVIEWS).write_bytes(changed)
    try:
        counted = counted_reviews(folder, LEAD)
    except RecordingDamaged:
        counted = []
    (folder / REVIEWS).write_bytes((folder / "kept").read_bytes())
    assert counted in ([], before)


def test_more_reviews_than_anybody_writes_are_not_checked(folder: Path) -> None:
    """Each wrong signature costs a tenth of a millisecond, in every list."""
    signed(folder)
    line = (folder / REVIEWS).read_bytes()
    (folder / REVIEWS).write_bytes(line * MOST_LINES)
    assert len(judged_reviews(folder, LEAD)) == MOST_LINES
    (folder / REVIEWS).write_bytes(line * (MOST_LINES + 1))
    with pytest.raises(RecordingDamaged, match="more than 2,000 lines"):
        judged_reviews(folder, LEAD)
