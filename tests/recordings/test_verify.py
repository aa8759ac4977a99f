"""Verify: a whole recording is proven whole; any damage is found, with its place."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.errors import RecordingNotFound
from recordings.events import Flag, IdSpan, ModelResponse, Usage
from recordings.recorder import Recorder
from recordings.storage.blobs import blob_path, put_blob, stored_blobs
from recordings.storage.lines import seal
from recordings.storage.log import LOG
from recordings.storage.pack import pack
from recordings.verify import describe, verify
from tests.recordings.recording_sessions import FakeSession, record_session


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    record_session(folder, seed=3)
    assert list(stored_blobs(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record_session(tmp_path, seed=3)
    return tmp_path


def change_line(folder: Path, number: int, old: bytes, new: bytes) -> None:
    lines = (folder / LOG).read_bytes().split(b"\n")
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    (folder / LOG).write_bytes(b"\n".join(lines))


def number_of(folder: Path, text: bytes) -> int:
    lines = (folder / LOG).read_bytes().split(b"\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def rewritten(folder: Path, number: int, old: bytes, new: bytes) -> None:
    """A forger's change: the line's own checksum is made right again."""
    change_line(folder, number, old, new)
    lines = (folder / LOG).read_bytes().split(b"\n")
    lines[number - 1], _ = seal(lines[number - 1].rpartition(b',"sum"')[0])
    (folder / LOG).write_bytes(b"\n".join(lines))


def test_a_whole_recording_is_proven_whole(whole: Path) -> None:
    result = verify(whole)
    assert result.problems == []
    assert result.whole
    assert result.requests == 8
    assert result.ids == 8 * 40
    assert result.blobs == len(list(stored_blobs(whole)))
    assert result.lines == (whole / LOG).read_bytes().count(b"\n")


def test_a_packed_recording_is_proven_whole_with_the_same_hash(folder: Path) -> None:
    before = verify(folder)
    pack(folder)
    after = verify(folder)
    assert after.whole
    assert after.head == before.head


@settings(max_examples=60, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_change_of_any_byte_is_found_in_its_line(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, part: float, flip: int
) -> None:
    content = bytearray((whole / LOG).read_bytes())
    place = int(part * len(content))
    number = content[:place].count(b"\n") + 1
    content[place] ^= flip
    folder = tmp_path_factory.mktemp("changed")
    (folder / LOG).write_bytes(content)
    shutil.copytree(whole / "blobs", folder / "blobs", copy_function=os.link)
    result = verify(folder)
    assert not result.whole
    assert result.problems[0].line in (number, None)


@settings(max_examples=25, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_change_of_any_byte_of_a_packed_log_is_found(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, part: float, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    (folder / LOG).write_bytes((whole / LOG).read_bytes())
    shutil.copytree(whole / "blobs", folder / "blobs", copy_function=os.link)
    from recordings.storage.zstd import compress

    with open(folder / LOG, "rb") as plain, open(folder / (LOG + ".zst"), "wb") as packed:
        compress(plain, packed)
    (folder / LOG).unlink()
    content = bytearray((folder / (LOG + ".zst")).read_bytes())
    content[int(part * len(content))] ^= flip
    (folder / (LOG + ".zst")).write_bytes(content)
    result = verify(folder)
    assert not result.whole or result.head == verify(whole).head


@pytest.mark.parametrize("gone", [1, 5, 12])
def test_a_removed_line_breaks_the_chain_there(folder: Path, gone: int) -> None:
    lines = (folder / LOG).read_bytes().split(b"\n")
    del lines[gone - 1]
    (folder / LOG).write_bytes(b"\n".join(lines))
    first = verify(folder).problems[0]
    assert first.line == gone
    assert "chain" in first.what


def test_a_forged_line_breaks_the_chain_after_it(folder: Path) -> None:
    number = number_of(folder, b'"type":"user_message"')
    rewritten(folder, number, b'"text":"', b'"text":"forged ')
    problems = verify(folder).problems
    assert any(problem.line == number + 1 and "chain" in problem.what for problem in problems)
    assert any("messages_sha256" in problem.what for problem in problems)


def test_a_torn_tail_is_named(folder: Path) -> None:
    with open(folder / LOG, "ab") as log:
        log.write(b'{"v":1,"sess')
    (problem,) = verify(folder).problems
    assert describe(problem) == "12 bytes of a torn last line"


def test_a_lost_and_a_changed_blob_are_named_with_the_line_that_needs_them(folder: Path) -> None:
    first, second, *_ = stored_blobs(folder)
    blob_path(folder, first).unlink()
    blob_path(folder, second).write_bytes(b"other")
    whats = [problem.what for problem in verify(folder).problems]
    assert any("lost" in what and first in what for what in whats)
    assert any("not what was written" in what and second in what for what in whats)
    assert all(problem.line for problem in verify(folder).problems)


def test_a_blob_that_no_event_names_is_a_note_and_no_damage(folder: Path) -> None:
    put_blob(folder, b"kept just before a crash")
    result = verify(folder)
    assert result.whole
    assert "1 blobs" in result.notes[0]


def test_ids_that_the_server_did_not_count_are_found(tmp_path: Path) -> None:
    def lose_an_id(session: FakeSession) -> None:
        response = ModelResponse(
            step=99,
            attempt=1,
            finish_reason="stop",
            complete=True,
            usage=Usage(prompt_tokens=3, completion_tokens=0),
            prompt_ids=IdSpan(keep=0, new=[1, 2]),
        )
        session.recorder.record(response, "model")
        session.recorder.close()

    record_session(tmp_path, change=lose_an_id)
    (problem,) = verify(tmp_path).problems
    assert problem.what == "2 prompt ids, but the server counted 3"


@pytest.mark.parametrize("flag", ["prompt_ids_count_differs", "ids_count_differs"])
def test_a_count_of_the_server_that_is_flagged_damages_nothing(tmp_path: Path, flag: Flag) -> None:
    def miscount(session: FakeSession) -> None:
        response = ModelResponse(
            step=99,
            attempt=1,
            finish_reason="stop",
            complete=True,
            usage=Usage(prompt_tokens=3, completion_tokens=0),
            prompt_ids=IdSpan(keep=0, new=[1, 2]),
            flags=[flag],
        )
        session.recorder.record(response, "model")
        session.recorder.close()

    record_session(tmp_path, change=miscount)
    assert verify(tmp_path).whole


def test_an_empty_recording_is_no_whole_one(tmp_path: Path) -> None:
    Recorder.create(tmp_path, "s").close()
    assert not verify(tmp_path).whole


def test_no_recording_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound):
        verify(tmp_path)
