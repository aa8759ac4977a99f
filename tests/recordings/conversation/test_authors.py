"""The authors of a recording: who spoke in it, edited it, or wrote its query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.authors import authors_of
from recordings.events import Edit, Origin, SessionResume, UserMessage
from recordings.index.find import Filter, find
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import record_session


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(tmp_path / "recordings")


def recorded(store: RecordingStore, *, rounds: int = 1, **start: Any) -> Path:
    _, folder = store.create_folder()
    record_session(folder, rounds=rounds, steps=1, **start)
    return folder


def resume(folder: Path, speaker: str | None, origin: Origin = "human") -> None:
    """Resume a session, and say something in it."""
    recorder = Recorder.resume(folder)
    settings = {"speaker": speaker}
    resumed = SessionResume(sii_version="0", model="GLM", base_url="http://m", settings=settings)
    recorder.record(resumed, "harness")
    recorder.record(UserMessage(round=9, text="more"), origin)
    recorder.close()


def test_who_speaks_is_an_author_and_who_only_started_it_is_not(store: RecordingStore) -> None:
    assert authors_of(recorded(store, speaker="ada")) == {"ada"}
    assert authors_of(recorded(store, speaker="ada", rounds=0)) == set()
    assert authors_of(recorded(store)) == set()


def test_a_query_is_not_spoken_by_the_user_who_ran_it(store: RecordingStore) -> None:
    folder = recorded(store, rounds=0, speaker="lead", author="quinn", mode="batch")
    resume(folder, "lead", origin="query")
    assert authors_of(folder) == {"quinn"}


def test_each_who_resumes_and_speaks_is_an_author(store: RecordingStore) -> None:
    folder = recorded(store, speaker="ada")
    resume(folder, "bob")
    resume(folder, None)
    assert authors_of(folder) == {"ada", "bob"}


def test_who_wrote_a_message_is_its_author(store: RecordingStore) -> None:
    folder = recorded(store, rounds=0, speaker="ada")
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=1, text="more", speaker="ben"), "human")
    recorder.close()
    assert authors_of(folder) == {"ben"}


def test_who_edits_is_an_author(store: RecordingStore) -> None:
    folder = recorded(store, rounds=0)
    recorder = Recorder.resume(folder)
    edit = Edit(by="eve", replaced=3, sha256="0" * 64, parts=["message"])
    recorder.record(edit, "annotator")
    recorder.record(UserMessage(round=1, text="better"), "annotator")
    recorder.close()
    assert authors_of(folder) == {"eve"}


def test_the_index_knows_the_same_authors_also_when_it_reads_on(store: RecordingStore) -> None:
    folder = recorded(store, speaker="ada", author="quinn")

    def indexed() -> set[str]:
        with RecordingIndex(store) as index:
            index.refresh()
            return {name for (name,) in index.db.execute("SELECT name FROM authors")}

    assert indexed() == authors_of(folder) == {"ada", "quinn"}
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=2, text="ada goes on"), "human")
    recorder.close()
    resume(folder, "bob")
    assert indexed() == authors_of(folder) == {"ada", "quinn", "bob"}


def test_an_authors_verdict_is_listed_and_approves_nothing(store: RecordingStore) -> None:
    folder = recorded(store, speaker="ada", author="quinn")
    other = recorded(store)
    for who in ("ada", "quinn"):
        add_review(folder, who, verdict="approve")
    with RecordingIndex(store) as index:
        index.refresh()
        (found,) = find(index, Filter(reviewer="ada"))
        assert (found.approval, found.reviewers) == ("unreviewed", ("ada", "quinn"))
        queue = find(index, Filter(judge="ada"))
        assert [one.summary.folder for one in queue] == [other]
        assert len(find(index, Filter(judge="bob"))) == 2
        assert [one.summary.folder for one in find(index, Filter(unjudged_by="ada"))] == [other]
        assert len(find(index, Filter(unjudged_by="bob"))) == 2
