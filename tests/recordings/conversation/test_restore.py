"""Restore and fork: the conversation comes back exactly, at any point, after any cut."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.conversation.messages import chain_message
from recordings.conversation.restore import Conversation, restore
from recordings.errors import RecordingNotFound
from recordings.events import ModelRequest, Parent, SessionResume, UserMessage
from recordings.recorder import Recorder
from recordings.replay.timeline import timeline
from recordings.storage.blobs import stored_blobs
from recordings.storage.log import LOG, read_events, read_lines
from recordings.storage.pack import pack
from recordings.verify import verify
from tests.recordings.recording_sessions import FakeSession, parent_of, record_session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    record_session(folder, seed=5, rounds=3)
    return folder


def rolling(conversation: Conversation, count: int | None = None) -> str:
    sha256 = ""
    for message in conversation.messages[:count]:
        sha256 = chain_message(sha256, message.encoded)
    return sha256


def test_at_every_request_the_messages_are_those_that_were_sent(folder: Path) -> None:
    requests = [event for event in read_events(folder) if isinstance(event.data, ModelRequest)]
    assert len(requests) == 12
    for event in requests:
        conversation = restore(folder, event.seq)
        assert isinstance(event.data, ModelRequest)
        assert rolling(conversation) == event.data.messages_sha256
        assert conversation.sent == len(conversation.messages)


def test_just_before_a_request_the_messages_are_those_it_sends(folder: Path) -> None:
    """Also when calls of one step came back in another order than they were asked for."""
    for event in read_events(folder):
        if isinstance(event.data, ModelRequest):
            assert rolling(restore(folder, event.seq - 1)) == event.data.messages_sha256


def test_the_whole_session_is_counted(folder: Path) -> None:
    conversation = restore(folder)
    assert (conversation.rounds, conversation.steps) == (3, 12)
    assert len(conversation.trail) == 12 * 40
    assert conversation.under_way == "nothing"
    assert not conversation.round_open
    assert conversation.usage.completion_tokens == 12 * 20
    last = list(read_lines(folder))[-1]
    assert conversation.sha256 == hashlib.sha256(last.text).hexdigest()


def test_a_packed_recording_gives_the_same_conversation(tmp_path: Path) -> None:
    record_session(tmp_path, seed=5)
    plain = restore(tmp_path)
    pack(tmp_path)
    assert restore(tmp_path).messages == plain.messages


def test_what_was_under_way_is_named(tmp_path: Path) -> None:
    def die_in_a_call(session: FakeSession) -> None:
        session.note(UserMessage(round=3, text="go on"), "human")
        session.request()
        calls = session.response(3).calls
        session.call(calls[0])
        session.observe(calls[0])
        session.call(calls[1])
        session.recorder.close()

    record_session(tmp_path, change=die_in_a_call)
    conversation = restore(tmp_path)
    assert conversation.round_open
    assert conversation.under_way == "tool"
    assert [call.index for call in conversation.unanswered] == [1, 2]
    assert conversation.begun == {conversation.unanswered[0].call_id}

    asked = next(e.seq for e in read_events(tmp_path) if isinstance(e.data, ModelRequest))
    assert restore(tmp_path, asked).under_way == "model"


@settings(max_examples=40, deadline=None)
@given(part=st.floats(0, 1))
def test_after_a_kill_at_any_byte_the_session_goes_on_and_is_whole(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, part: float
) -> None:
    content = (folder / LOG).read_bytes()
    start = content.index(b"\n") + 1
    killed = tmp_path_factory.mktemp("killed")
    (killed / LOG).write_bytes(content[: start + int(part * (len(content) - start))])
    shutil.copytree(folder / "blobs", killed / "blobs", copy_function=os.link)

    recorder = Recorder.resume(killed)
    before = restore(killed)
    recorder.record(
        SessionResume(sii_version="0", model=before.model, base_url="u", lost=before.under_way),
        "harness",
    )
    recorder.close()
    assert verify(killed).whole
    assert restore(killed).messages == before.messages


def test_an_event_that_is_not_there_is_a_sentence(folder: Path) -> None:
    with pytest.raises(RecordingNotFound, match="no event 99999"):
        restore(folder, 99999)


@settings(max_examples=15, deadline=None)
@given(at=st.integers(0, 40))
def test_a_fork_shares_its_parents_past_byte_for_byte(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, at: int
) -> None:
    fork = tmp_path_factory.mktemp("fork")
    recorder = Recorder.fork(folder, at, fork, "20990101-000000-ffffff")
    recorder.record(UserMessage(round=9, text="another way"), "human")
    recorder.close()

    parents = [line.text for line in read_lines(folder)][: at + 1]
    lines = [line.text for line in read_lines(fork)]
    assert lines[:-1] == parents
    own = list(read_events(fork))[-1]
    assert own.parent == Parent(folder.name, at, hashlib.sha256(parents[-1]).hexdigest())
    assert own.prev == own.parent.sha256
    assert parent_of(fork) == own.parent
    assert parent_of(folder) is None
    assert verify(fork).whole
    assert list(timeline(read_events(fork)))[-1][0] == 0.0


def test_a_fork_keeps_its_blobs_when_the_parent_is_packed_or_deleted(tmp_path: Path) -> None:
    parent, fork = tmp_path / "parent", tmp_path / "fork"
    parent.mkdir()
    fork.mkdir()
    record_session(parent, seed=3)
    pack(parent)
    last = restore(parent).seq
    recorder = Recorder.fork(parent, last, fork, "fork")
    recorder.record(UserMessage(round=9, text="another way"), "human")
    recorder.close()
    for path in sorted(parent.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert list(stored_blobs(fork))
    assert verify(fork).whole


def test_a_fork_at_an_event_that_is_not_there_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound, match="no event 99999"):
        Recorder.fork(folder, 99999, tmp_path, "fork")
