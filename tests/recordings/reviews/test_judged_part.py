"""What is new to a reviewer: what comes after the part that they have judged, in any fork."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.reviews.judged_part import judged_until
from recordings.reviews.reviews import add_review, read_reviews
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import record_session


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(tmp_path)


@pytest.fixture
def folder(store: RecordingStore) -> Path:
    _, folder = store.create_folder()
    record_session(folder)
    return folder


def last_of(folder: Path) -> int:
    return list(read_events(folder))[-1].seq


def until(folder: Path, reviewer: str = "ann") -> int | None:
    def folder_of(name: str) -> Path | None:
        return folder.parent / name if (folder.parent / name).exists() else None

    return judged_until(folder, reviewer, read_reviews, folder_of)


def fork_of(store: RecordingStore, source: Path, at: int) -> Path:
    name, folder = store.create_folder()
    recorder = Recorder.fork(source, at, folder, name)
    recorder.record(UserMessage(round=9, text=f"another way for {name}"), "human")
    recorder.close()
    return folder


def test_nothing_is_judged_without_a_verdict_of_ones_own(folder: Path) -> None:
    add_review(folder, "ann", note="only words")
    add_review(folder, "bob", verdict="approve")
    assert until(folder) is None
    assert until(folder, "bob") == last_of(folder)


def test_a_continuation_is_new_from_where_it_was_judged(folder: Path) -> None:
    add_review(folder, "ann", verdict="approve")
    judged = last_of(folder)
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    assert until(folder) == judged
    add_review(folder, "ann", verdict="reject")
    assert until(folder) == last_of(folder)


def test_a_fork_is_new_from_where_it_parted(store: RecordingStore, folder: Path) -> None:
    add_review(folder, "ann", verdict="reject")
    fork = fork_of(store, folder, at=7)
    assert until(fork) == 7
    assert until(fork_of(store, fork, at=5)) == 5
    assert until(fork, "bob") is None


def test_a_fork_of_what_came_after_the_verdict_is_new_from_the_verdict(
    store: RecordingStore, folder: Path
) -> None:
    add_review(folder, "ann", verdict="approve")
    judged = last_of(folder)
    recorder = Recorder.resume(folder)
    for number in (3, 4):
        recorder.record(UserMessage(round=number, text="more"), "human")
    recorder.close()
    assert until(fork_of(store, folder, at=last_of(folder))) == judged


def test_without_the_parent_all_is_new(store: RecordingStore, folder: Path) -> None:
    add_review(folder, "ann", verdict="approve")
    fork = fork_of(store, folder, at=7)
    folder.rename(folder.with_name("elsewhere"))
    assert until(fork) is None


def test_a_parent_with_other_lines_shares_only_what_is_the_same(
    store: RecordingStore, folder: Path
) -> None:
    fork = fork_of(store, folder, at=7)
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    record_session(folder, seed=1)
    add_review(folder, "ann", verdict="approve")
    assert until(fork) is None
