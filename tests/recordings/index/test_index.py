"""The index: finds by what recordings are and by what was said, keeps up, heals itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.events import UserMessage
from recordings.index import update as indexer
from recordings.index.find import Filter, FoundRecording, children, find, search
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.reviews.protocol import ReviewProtocol
from recordings.reviews.reviews import add_review
from recordings.storage.lines import Head, read_head
from recordings.storage.log import LOG
from recordings.storage.pack import pack
from recordings.storage.sqlite_files import delete_database
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import FakeSession, record_session, session_start

EVERYTHING = Filter()


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(tmp_path / "recordings")


@pytest.fixture
def index(store: RecordingStore) -> Iterator[RecordingIndex]:
    with RecordingIndex(store) as index:
        yield index


def recorded(store: RecordingStore, **options: Any) -> Path:
    _, folder = store.create_folder()
    record_session(folder, **options)
    return folder


def say(folder: Path, text: str) -> None:
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=3, text=text), "human")
    recorder.close()


def found(index: RecordingIndex, where: Filter = EVERYTHING, **options: Any) -> list[str]:
    index.refresh()
    return [one.summary.id for one in find(index, where, **options)]


def only(index: RecordingIndex) -> FoundRecording:
    index.refresh()
    (one,) = find(index)
    return one


def hits(index: RecordingIndex, text: str, **options: Any) -> list[tuple[str, str]]:
    index.refresh()
    return [(hit.id, hit.kind) for hit in search(index, text, **options)]


def test_a_recording_is_listed_with_what_it_is(
    store: RecordingStore, index: RecordingIndex
) -> None:
    folder = recorded(store, rounds=2, steps=4, query="bugs-7", batch="night", tags=["hard"])
    one = only(index)
    assert one.summary.id == folder.name
    assert (one.summary.status, one.summary.mode, one.summary.model) == ("done", "headless", "GLM")
    assert (one.summary.rounds, one.summary.steps) == (2, 8)
    assert one.summary.tokens
    assert (one.query, one.batch, one.tags) == ("bugs-7", "night", ("hard",))


def test_filters_let_through_what_they_name(store: RecordingStore, index: RecordingIndex) -> None:
    small = recorded(store, rounds=1, steps=2, model="GLM-4.5-Air").name
    large = recorded(store, rounds=2, steps=5, model="other", tags=["hard"], batch="b").name

    def fail(session: FakeSession) -> None:
        session.step(calls=1, error="timeout")
        session.recorder.close()

    crashed = recorded(store, rounds=1, steps=1, change=fail).name
    assert found(index) == [crashed, large, small]
    assert found(index, Filter(status=("crashed",))) == [crashed]
    assert found(index, Filter(model="glm-4")) == [small]
    assert found(index, Filter(tag="hard")) == [large]
    assert found(index, Filter(batch="b")) == [large]
    assert found(index, Filter(error="timeout")) == [crashed]
    assert found(index, Filter(tool="bash", status=("done",))) == [large, small]
    assert found(index, Filter(tool="python")) == []
    assert found(index, Filter(steps=(3, None))) == [large]
    assert found(index, Filter(steps=(None, 2))) == [crashed, small]
    assert found(index, Filter(since=time.time())) == []
    assert found(index, sort="steps", limit=1) == [large]
    assert found(index, sort="started", ascending=True) == [small, large, crashed]


def test_a_session_that_is_being_written_is_open(
    store: RecordingStore, index: RecordingIndex
) -> None:
    session, folder = store.create_folder()
    recorder = Recorder.create(folder, session)
    FakeSession(recorder)
    record = UserMessage(round=1, text="hi")
    recorder.record(record, "human")
    assert found(index, Filter(status=("open",))) == [session]
    recorder.close()
    assert found(index, Filter(status=("crashed",))) == [session]


def test_approval_is_listed_and_void_after_a_change(
    store: RecordingStore, index: RecordingIndex
) -> None:
    folder = recorded(store)
    add_review(folder, "ada", verdict="approve", add_tags=["gold"])
    assert only(index).approval == "approved"
    assert only(index).tags == ("gold",)
    assert found(index, Filter(reviewer="ada", approval="approved")) == [folder.name]
    assert found(index, Filter(reviewer="bob")) == []
    add_review(folder, "bob", verdict="reject")
    assert only(index).approval == "disputed"
    assert found(index, Filter(approval="disputed")) == [folder.name]
    assert find(index, protocol=ReviewProtocol("all"))[0].approval == "rejected"
    say(folder, "one more thing")
    assert only(index).approval == "void"


def test_tags_come_and_go(store: RecordingStore, index: RecordingIndex) -> None:
    folder = recorded(store, tags=["hard"])
    add_review(folder, "ada", add_tags=["gold"], remove_tags=["hard"])
    assert only(index).tags == ("gold",)
    add_review(folder, "ada", add_tags=["hard"])
    assert only(index).tags == ("gold", "hard")


def test_text_is_found_wherever_it_was_said(store: RecordingStore, index: RecordingIndex) -> None:
    def speak(session: FakeSession) -> None:
        session.round(1, message="Where is parse_zebra defined?")
        session.end()

    folder = recorded(store, change=speak)
    recorded(store)
    assert hits(index, "parse_zebra") == [(folder.name, "user")]
    assert hits(index, "ZEBRA where") == [(folder.name, "user")]
    assert hits(index, '"zebra defined"') == [(folder.name, "user")]
    assert hits(index, '"defined zebra"') == []
    assert hits(index, "zebra", where=Filter(status=("limit",), model="none")) == []
    kinds = {kind for _, kind in hits(index, "ledger")}
    assert kinds == {"user", "reasoning", "content", "observation"}
    assert ("call" in {kind for _, kind in hits(index, "true")}) is True
    assert len(hits(index, "ledger", limit=3)) == 3


def test_a_hit_says_where_and_shows_the_words(store: RecordingStore, index: RecordingIndex) -> None:
    folder = recorded(store)
    say(folder, "first line\n\x1b[31mand the  platypus is here" + " padding" * 100)
    index.refresh()
    (hit,) = search(index, "platypus")
    assert hit.seq > 10
    start, end = hit.matches[0]
    assert hit.snippet[start:end] == "platypus"
    assert "\n" not in hit.snippet
    assert len(hit.snippet) < 150


@pytest.mark.parametrize("text", ["修复", "修复错误", "错误"])
def test_chinese_is_found_without_spaces(
    store: RecordingStore, index: RecordingIndex, text: str
) -> None:
    folder = recorded(store)
    say(folder, "请修复错误，谢谢")
    assert hits(index, text) == [(folder.name, "user")]
    assert hits(index, "误修") == []


@pytest.mark.parametrize(
    "text", ["", '"', "***", "NEAR(", "a AND", "col:x", 'un"balanced', "-", "^"]
)
def test_no_text_is_an_error(store: RecordingStore, index: RecordingIndex, text: str) -> None:
    folder = recorded(store)
    say(folder, 'a AND b NEAR( col:x un"balanced *** ^')
    has_words = any(map(str.isalpha, text))
    assert hits(index, text) == ([(folder.name, "user")] if has_words else [])


def test_only_what_is_new_is_read_again(
    store: RecordingStore, index: RecordingIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded(store)
    assert index.refresh() == 1
    assert index.refresh() == 0
    before = only(index).summary
    read: list[bytes] = []

    def noted(line: bytes) -> Head:
        read.append(line)
        return read_head(line)

    monkeypatch.setattr(indexer, "read_head", noted)
    say(folder, "the aardvark question")
    assert index.refresh() == 1
    assert len(read) == 1
    after = only(index).summary
    assert (after.steps, after.tokens) == (before.steps, before.tokens)
    assert after.status == "crashed"
    assert hits(index, "aardvark") == [(folder.name, "user")]


def test_growing_step_by_step_gives_what_one_reading_gives(
    store: RecordingStore, index: RecordingIndex
) -> None:
    _, folder = store.create_folder()
    session = FakeSession(Recorder.create(folder, folder.name), seed=9)
    session.note(session_start(), "harness")
    for _ in range(4):
        session.round(2)
        index.refresh()
    session.end()
    grown = only(index)
    index.close()
    delete_database(index.path)
    with RecordingIndex(store) as fresh:
        assert only(fresh) == grown
        assert len(hits(fresh, "ledger", limit=999)) > 4


def test_a_packed_recording_is_found_as_before(
    store: RecordingStore, index: RecordingIndex
) -> None:
    folder = recorded(store)
    say(folder, "the aardvark question")
    before = only(index).summary
    pack(folder)
    after = only(index).summary
    assert (after.steps, after.tokens, after.rounds) == (before.steps, before.tokens, before.rounds)
    assert hits(index, "aardvark") == [(folder.name, "user")]
    assert "aardvark" in next(search(index, "aardvark")).snippet


def test_a_deleted_recording_is_gone(store: RecordingStore, index: RecordingIndex) -> None:
    folder = recorded(store)
    assert found(index) == [folder.name]
    (folder / LOG).unlink()
    assert found(index) == []
    assert hits(index, "ledger") == []


def test_a_log_that_was_replaced_is_read_again(
    store: RecordingStore, index: RecordingIndex
) -> None:
    folder = recorded(store, seed=1)
    say(folder, "the aardvark question")
    index.refresh()
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    assert hits(index, "aardvark") == []
    say(folder, "a pangolin, rather; and at a greater length than what stood here before")
    assert hits(index, "aardvark") == []
    assert hits(index, "pangolin") == [(folder.name, "user")]
    assert found(index) == [folder.name]


def test_a_damaged_recording_is_listed_and_hides_no_other(
    store: RecordingStore, index: RecordingIndex
) -> None:
    good = recorded(store)
    bad = recorded(store)
    content = (bad / LOG).read_bytes()
    (bad / LOG).write_bytes(content.replace(b'"type":"session_start"', b'"type":"session_start'))
    assert found(index) == [good.name, bad.name]
    assert found(index, Filter(status=("damaged",))) == [bad.name]
    (bad / LOG).write_bytes(content)
    assert found(index, Filter(status=("done",))) == [bad.name, good.name]


def test_forks_are_found_by_their_parent(store: RecordingStore, index: RecordingIndex) -> None:
    parent = recorded(store)
    session, folder = store.create_folder()
    recorder = Recorder.fork(parent, 5, folder, session)
    recorder.record(UserMessage(round=2, text="another way"), "human")
    recorder.close()
    index.refresh()
    assert children(index, parent.name) == [(session, 5)]
    assert children(index, session) == []


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_broken_index_is_built_again(store: RecordingStore, content: bytes) -> None:
    folder = recorded(store)
    with RecordingIndex(store) as index:
        index.refresh()
    index.path.write_bytes(content)
    with RecordingIndex(store) as index:
        assert found(index) == [folder.name]


def test_an_index_of_another_version_is_built_again(store: RecordingStore) -> None:
    folder = recorded(store)
    with RecordingIndex(store) as index:
        index.db.execute("PRAGMA user_version = 999")
    with RecordingIndex(store) as index:
        assert found(index) == [folder.name]


def test_many_processes_refresh_at_once(store: RecordingStore) -> None:
    names = sorted((recorded(store, seed=n).name for n in range(6)), reverse=True)
    code = (
        "import sys; from pathlib import Path\n"
        "from recordings.index.index import RecordingIndex\n"
        "from recordings.store.store import RecordingStore\n"
        f"with RecordingIndex(RecordingStore(Path({str(store.root)!r}))) as index:\n"
        "    for _ in range(5): index.refresh()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    with RecordingIndex(store) as index:
        assert index.refresh() == 0
        assert found(index) == names
        (places,) = index.db.execute("SELECT count(*) FROM places").fetchone()
    delete_database(index.path)
    with RecordingIndex(store) as index:
        index.refresh()
        assert index.db.execute("SELECT count(*) FROM places").fetchone() == (places,)
