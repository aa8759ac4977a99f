"""A conversation that was checked is used while its log is as it was, and once."""

from pathlib import Path

import pytest

from recordings.conversation.checked import CheckedConversation
from recordings.conversation.restore import restore
from recordings.errors import LineChanged
from recordings.events import HarnessMessage
from recordings.recorder import Recorder
from recordings.storage.log import LOG
from recordings.storage.pack import pack
from tests.recordings.recording_sessions import record_session


def test_it_is_used_once_while_the_log_is_as_it_was(tmp_path: Path) -> None:
    record_session(tmp_path, seed=5)
    checked = CheckedConversation(tmp_path)
    first = checked.take()
    assert first is checked.conversation
    first.messages.clear()
    assert checked.take().messages == restore(tmp_path).messages


def test_a_log_that_was_written_since_is_read_again(tmp_path: Path) -> None:
    record_session(tmp_path, seed=5)
    checked = CheckedConversation(tmp_path)
    recorder = Recorder.resume(tmp_path)
    added = recorder.record(HarnessMessage(reason="undo", text="More."), "harness")
    recorder.close()
    assert checked.take().seq == added.seq


def test_a_log_that_was_changed_since_in_its_middle_is_refused(tmp_path: Path) -> None:
    record_session(tmp_path, seed=5)
    checked = CheckedConversation(tmp_path)
    log = bytearray((tmp_path / LOG).read_bytes())
    log[len(log) // 2] ^= 1
    with (tmp_path / LOG).open("r+b") as file:
        file.write(log)
    with pytest.raises(LineChanged):
        checked.take()


def test_a_packed_recording_is_read_again(tmp_path: Path) -> None:
    record_session(tmp_path, seed=5)
    pack(tmp_path)
    checked = CheckedConversation(tmp_path)
    before = checked.conversation
    taken = checked.take()
    assert taken is not before
    assert taken.messages == before.messages
    assert checked.conversation is taken, "a long session is not held twice"
