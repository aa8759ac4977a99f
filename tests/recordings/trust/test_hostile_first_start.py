"""At the first start a home seals what belongs to its user, and nothing that only lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.recorder import Recorder
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import add_review, counted_reviews
from recordings.storage.files import REVIEWS
from recordings.storage.log import LOG
from recordings.trust.first_start import SEALED, seal_existing
from recordings.trust.home_key import home_key
from recordings.trust.origin import origin_of
from recordings.trust.seal import SEAL
from tests.recordings.recording_sessions import record_session

pytestmark = pytest.mark.hostile

NAME = "20261123-204950-a3f9c2"
SOMEBODY = 12345
"""A user's number."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(home: Path) -> Path:
    """A recording with a review, made before the home had a key."""
    folder = home / "recordings" / NAME
    folder.mkdir(parents=True)
    record_session(folder, rounds=1)
    add_review(folder, "ada", verdict="approve")
    return folder


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(path, SOMEBODY, -1, follow_symlinks=False)


def test_what_belongs_to_the_user_is_sealed_with_its_reviews(home: Path, folder: Path) -> None:
    assert seal_existing(home) == 1
    assert origin_of(folder, home) == "own"
    assert len(counted_reviews(folder, ReviewKeys(home_key(home)))) == 1


@pytest.mark.parametrize("what", ["recordings", f"recordings/{NAME}", f"recordings/{NAME}/{LOG}"])
def test_what_belongs_to_another_user_is_not_sealed(home: Path, folder: Path, what: str) -> None:
    give_away(home / what)
    assert seal_existing(home) == 0
    assert not (folder / SEAL).exists()
    assert origin_of(folder, home) == "foreign"


def test_what_was_imported_is_not_sealed(home: Path) -> None:
    folder = home / "recordings" / NAME
    folder.mkdir(parents=True)
    record_session(folder, rounds=1, mode="imported")
    assert seal_existing(home) == 0
    assert origin_of(folder, home) == "foreign"


def test_reviews_of_another_user_are_not_vouched_for(home: Path, folder: Path) -> None:
    give_away(folder / REVIEWS)
    assert seal_existing(home) == 1
    assert counted_reviews(folder, ReviewKeys(home_key(home))) == []


@pytest.mark.parametrize("what", ["recordings", f"recordings/{NAME}"])
def test_what_a_link_leads_to_is_not_sealed(
    home: Path, folder: Path, tmp_path: Path, what: str
) -> None:
    outside = tmp_path / "outside"
    (home / what).rename(outside)
    (home / what).symlink_to(outside)
    assert seal_existing(home) == 0
    assert not list(outside.rglob(SEAL))


def test_what_is_being_written_is_sealed_at_a_later_start(home: Path, folder: Path) -> None:
    recorder = Recorder.resume(folder)
    assert seal_existing(home) == 0
    assert not (home / SEALED).exists()
    recorder.close()
    assert seal_existing(home) == 1
    assert (home / SEALED).exists()
    assert origin_of(folder, home) == "own"
