"""The store: recordings are found by id, beginning of an id, or `last`; a list needs no parsing."""

from pathlib import Path

import pytest

from recordings.errors import RecordingNotFound
from recordings.events import (
    LiveDelta,
    ModelResponse,
    RoundEnd,
    SessionEnd,
    SessionStart,
    Usage,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import LOG
from recordings.store.store import RecordingStore
from recordings.store.summary import summarise

START = SessionStart(
    sii_version="0",
    mode="headless",
    workspace="/w",
    model="GLM",
    base_url="http://m",
    system_prompt="s" * 30_000,
    tools=[],
    tools_sha256="",
)
END = SessionEnd(
    status="limit", rounds=2, steps=9, usage=Usage(prompt_tokens=100, completion_tokens=20)
)


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(tmp_path / "recordings")


def begin(store: RecordingStore) -> Recorder:
    session, folder = store.create_folder()
    recorder = Recorder.create(folder, session)
    recorder.record(START, "harness")
    return recorder


def finished(store: RecordingStore) -> str:
    recorder = begin(store)
    recorder.record(UserMessage(round=1, text="Mend the bug"), "human")
    recorder.record(END, "harness")
    recorder.close()
    return recorder.session


def named(store: RecordingStore, *ids: str) -> None:
    for name in ids:
        (store.root / name).mkdir(parents=True)
        (store.root / name / LOG).write_bytes(b"not looked at\n")


def test_ids_sort_by_time_even_within_a_second(store: RecordingStore) -> None:
    ids = [store.create_folder()[0] for _ in range(50)]
    assert len(set(ids)) == 50
    assert [name[:19] for name in ids] == sorted(name[:19] for name in ids)


def test_a_recording_is_for_its_owner_only(store: RecordingStore) -> None:
    folder = begin(store).folder
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / LOG).stat().st_mode & 0o077 == 0


def test_a_recording_is_found_by_id_prefix_and_last(store: RecordingStore) -> None:
    named(store, "20260101-000000-aaaaaa", "20260102-000000-bbbbbb", "20260102-000001-cccccc")
    assert store.resolve("20260101-000000-aaaaaa").name == "20260101-000000-aaaaaa"
    assert store.resolve("20260101").name == "20260101-000000-aaaaaa"
    assert store.resolve("last").name == "20260102-000001-cccccc"


def test_a_prefix_of_several_is_refused_with_their_names(store: RecordingStore) -> None:
    named(store, "20260102-000000-bbbbbb", "20260102-000001-cccccc")
    with pytest.raises(RecordingNotFound, match=r"2 recordings begin.*cccccc.*give more"):
        store.resolve("20260102")


@pytest.mark.parametrize("ref", ["2027", "", "../other", "/", "."])
def test_an_unknown_name_is_a_sentence(store: RecordingStore, ref: str) -> None:
    named(store, "20260102-000000-bbbbbb")
    with pytest.raises(RecordingNotFound, match="sii list"):
        store.resolve(ref)


def test_no_recordings_at_all_is_a_sentence(store: RecordingStore) -> None:
    with pytest.raises(RecordingNotFound, match="no recordings"):
        store.resolve("last")
    assert list(store.list()) == []


def test_a_finished_session_is_summed_up(store: RecordingStore) -> None:
    name = finished(store)
    (summary,) = store.list()
    assert summary.id == name
    assert summary.status == "limit"
    assert (summary.mode, summary.model) == ("headless", "GLM")
    assert summary.first_message == "Mend the bug"
    assert (summary.rounds, summary.steps, summary.tokens) == (2, 9, 120)
    assert 0 <= summary.duration < 60
    assert summary.started is not None


def test_a_session_is_open_while_it_is_written_and_crashed_when_it_was_left(
    store: RecordingStore,
) -> None:
    recorder = begin(store)
    recorder.record(UserMessage(round=1, text="hi"), "human")
    recorder.record(ModelResponse(step=3, attempt=1, finish_reason="stop", complete=True), "model")
    assert summarise(recorder.folder).status == "open"
    recorder.close()
    crashed = summarise(recorder.folder)
    assert crashed.status == "crashed"
    assert (crashed.rounds, crashed.steps, crashed.tokens) == (1, 3, None)


def test_a_session_that_goes_on_after_its_end_is_not_over(store: RecordingStore) -> None:
    finished(store)
    recorder = Recorder.resume(store.resolve("last"))
    recorder.record(UserMessage(round=3, text="one more thing"), "human")
    recorder.close()
    assert summarise(recorder.folder).status == "crashed"


def test_a_torn_tail_does_not_disturb_a_summary(store: RecordingStore) -> None:
    finished(store)
    log = store.resolve("last") / LOG
    log.write_bytes(log.read_bytes() + b'{"v":1,"session":"20')
    assert summarise(log.parent).status == "limit"


def test_the_counts_of_a_crashed_session_are_found_behind_much_streamed_text(
    store: RecordingStore,
) -> None:
    recorder = begin(store)
    recorder.record(UserMessage(round=4, text="hi"), "human")
    recorder.record(RoundEnd(round=4, status="answered", steps=2), "harness")
    for number in range(300):
        recorder.live(LiveDelta(7 + number % 2, "content", "x" * 200))
    recorder.close()
    summary = summarise(recorder.folder)
    assert (summary.rounds, summary.steps) == (4, 8)


@pytest.mark.parametrize("content", [b"not json\n", b"{}\n", b"\x00" * 500, b'{"v":1}\n[]\n'])
def test_a_damaged_recording_is_listed_as_such_and_hides_no_other(
    store: RecordingStore, content: bytes
) -> None:
    finished(store)
    named(store, "20250101-000000-dddddd")
    (store.root / "20250101-000000-dddddd" / LOG).write_bytes(content)
    good, damaged = store.list()
    assert good.status == "limit"
    assert damaged.status == "damaged"
    assert damaged.why


def test_a_session_killed_before_anything_was_recorded_is_no_recording(
    store: RecordingStore,
) -> None:
    name = finished(store)
    _, folder = store.create_folder()
    Recorder.create(folder, folder.name).close()
    assert [summary.id for summary in store.list()] == [name]
    assert store.resolve("last").name == name
    with pytest.raises(RecordingNotFound):
        store.resolve(folder.name)
