"""Logs that sii did not write, or that were changed: nothing is cut, and what is wrong is told."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from recordings.conversation.restore import restore
from recordings.errors import RecordingDamaged, RecordingFailed, RecordingInUse
from recordings.events import BlobRef, MessageSpan, ModelRequest, Observation, UserMessage
from recordings.index.find import find
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.storage.blobs import blob_path, put_blob, stored_blobs
from recordings.storage.files import REVIEWS
from recordings.storage.lines import seal
from recordings.storage.log import LOG, LONGEST_LINE, LogWriter, read_lines
from recordings.storage.opening import OpenFolder, UnexpectedFile, read_file
from recordings.store.store import RecordingStore
from recordings.verify import verify
from tests.recordings.recording_sessions import record_session, session_start

pytestmark = pytest.mark.hostile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    folder.mkdir()
    record_session(folder)
    return folder


@pytest.mark.parametrize(
    "text", [b"a note\nwithout an end", b"no line at all", b"{}\n{", b'{"v":1}\ntorn', b"\n\n\nx"]
)
@pytest.mark.parametrize("name", [LOG, REVIEWS])
def test_what_is_no_log_of_ours_is_not_cut(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)
    with pytest.raises(RecordingDamaged, match="nothing is appended"):
        LogWriter.open(folder, name)
    assert (folder / name).read_bytes() == text


@pytest.mark.parametrize("torn", [b"", b'{"v":1,"sess', b'{"v', b"\0\0\0"])
def test_a_torn_line_of_ours_is_cut(folder: Path, torn: bytes) -> None:
    whole = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(whole + torn)
    LogWriter.open(folder)[0].close()
    assert (folder / LOG).read_bytes() == whole
    (folder / REVIEWS).write_bytes(torn)
    add_review(folder, "ann")
    assert (folder / REVIEWS).read_bytes().startswith(b'{"v":4,"reviewer":"ann"')


def test_a_log_that_was_replaced_is_not_written_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed or redacted between its opening and its locking."""
    import fcntl

    really_lock = fcntl.flock

    def replaced(fd: int, how: int) -> None:
        os.unlink(folder / LOG)
        (folder / LOG).write_bytes(content)
        really_lock(fd, how)

    content = (folder / LOG).read_bytes()
    monkeypatch.setattr(fcntl, "flock", replaced)
    with pytest.raises(RecordingInUse):
        LogWriter.open(folder)


def test_a_session_does_not_stand_on_a_changed_line(folder: Path) -> None:
    content = (folder / LOG).read_bytes()
    at = content.index(b'"text":"') + 9
    (folder / LOG).write_bytes(content[:at] + b"~" + content[at + 1 :])
    with pytest.raises(RecordingDamaged, match="was changed after it was written"):
        restore(folder)


def test_verify_tells_a_wrong_sequence_and_a_wrong_size(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, "s")
    recorder.record(session_start(), "harness")
    ref = put_blob(tmp_path, b"twelve bytes")
    for size in (11, 13):
        wrong = BlobRef(sha256=ref.sha256, size=size)
        name = f"c{size}"
        recorder.record(
            Observation(step=1, call_id=name, name="bash", text="", seconds=0.1, full=wrong), "tool"
        )
        wrong_sized = recorder
    wrong_sized._seq += 1
    recorder.record(UserMessage(round=1, text="Go."), "human")
    recorder.close()
    said = [problem.what for problem in verify(tmp_path).problems]
    assert f"the blob {ref.sha256} has more than 11 bytes" in said
    assert "the sequence number is not 3" in said


def test_verify_tells_a_blob_that_is_too_short(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, "s")
    recorder.record(session_start(), "harness")
    ref = put_blob(tmp_path, b"twelve bytes")
    long = BlobRef(sha256=ref.sha256, size=13)
    recorder.record(
        Observation(step=1, call_id="c", name="bash", text="", seconds=0.1, full=long), "tool"
    )
    recorder.close()
    said = [problem.what for problem in verify(tmp_path).problems]
    assert said == [f"the blob {ref.sha256} has 12 bytes, not 13"]


def test_verify_stops_where_nothing_is_sound(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b"x\n" * 200_000)
    problems = verify(tmp_path).problems
    assert 1000 < len(problems) < 2100
    assert "nothing was checked beyond" in problems[-2].what + problems[-1].what


def test_verify_reads_no_message_without_an_end_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes of a request have a message of megabytes read again."""
    monkeypatch.setattr("recordings.verify._AGAIN", 1 << 20)
    recorder = Recorder.create(tmp_path, "s")
    recorder.record(session_start(), "harness")
    seq = recorder.record(UserMessage(round=1, text="x" * 100_000), "human").seq
    span = MessageSpan(keep=0, new=[seq] * 100_000)
    asked = ModelRequest(
        step=1, attempt=1, request_id="r", messages=span, messages_sha256="", params={}
    )
    recorder.record(asked, "harness")
    recorder.close()
    began = time.process_time()
    [problem] = verify(tmp_path).problems
    assert "far more often than any session does" in problem.what
    assert time.process_time() - began < 5


def test_a_line_that_is_too_long_is_neither_written_nor_read(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, "s")
    recorder.record(session_start(), "harness")
    with pytest.raises(RecordingFailed, match="too long to be recorded"):
        recorder.record(UserMessage(round=1, text="x" * LONGEST_LINE), "human")
    recorder.close()
    assert verify(tmp_path).whole
    with (tmp_path / LOG).open("ab") as log:
        log.write(b"x" * LONGEST_LINE + b"\n")
    with pytest.raises(RecordingDamaged, match="longer than the 32 MiB"):
        list(read_lines(tmp_path))


def test_a_log_that_is_too_large_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file with holes a few kilobytes claim terabytes, which a list would read."""
    store = RecordingStore(tmp_path / "recordings")
    session, folder = store.create_folder()
    recorder = Recorder.create(folder, session)
    recorder.record(session_start(), "harness")
    size = (folder / LOG).stat().st_size
    monkeypatch.setattr("recordings.storage.log.LARGEST_LOG", size + 10)
    with pytest.raises(RecordingFailed, match="has reached the"):
        recorder.record(UserMessage(round=1, text="x"), "human")
    recorder.close()
    assert verify(folder).whole
    monkeypatch.setattr("recordings.storage.log.LARGEST_LOG", size - 1)
    with RecordingIndex(store) as index:
        index.refresh()
        [found] = find(index)
    assert "is longer than the" in found.summary.why


def test_a_count_beyond_64_bits_is_no_damage(tmp_path: Path) -> None:
    store = RecordingStore(tmp_path / "recordings")
    session, folder = store.create_folder()
    record_session(folder)
    lines = [line.text for line in read_lines(folder)]
    prev, changed = "", b""
    for text in lines:
        body = text[: text.rindex(b',"prev":"')] + b',"prev":"' + prev.encode() + b'"'
        body = body.replace(b'"prompt_tokens":', b'"prompt_tokens":9223372036854775', 1)
        line, prev = seal(body)
        changed += line + b"\n"
    (folder / LOG).write_bytes(changed)
    with RecordingIndex(store) as index:
        index.refresh()
        rows = index.db.execute("SELECT id, status FROM recordings").fetchall()
    assert rows == [(session, "done")]


@pytest.mark.parametrize("now", [-1.5, -86_400.0 * 365, 0.0])
def test_a_clock_before_1970_makes_recordings_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: now)
    store = RecordingStore(tmp_path / "recordings")
    session, folder = store.create_folder()
    record_session(folder)
    with RecordingIndex(store) as index:
        index.refresh()
        rows = index.db.execute("SELECT id, status, started FROM recordings").fetchall()
    assert rows == [(session, "done", now)]
    assert verify(folder).whole
    assert store.resolve("last") == folder


def test_blobs_that_lead_elsewhere_are_neither_taken_nor_removed(
    folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    ref = put_blob(folder, b"a blob")
    path = blob_path(folder, ref.sha256)
    path.rename(outside / path.name)
    path.symlink_to(outside / path.name)
    with pytest.raises(RecordingFailed, match="it is a link"):
        put_blob(folder, b"a blob")
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(outside)
    with pytest.raises(RecordingFailed, match="it is a link"):
        put_blob(folder, b"a blob")
    assert ref.sha256 not in set(stored_blobs(folder))
    assert (outside / path.name).read_bytes() == b"a blob"


def test_what_belongs_to_somebody_else_is_read_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"theirs")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with OpenFolder(tmp_path) as folder:
        folder._owners = {12345}
        assert read_file(tmp_path, "file", most=6) == b"theirs"
        for act in (
            lambda: folder.open("file", os.O_RDWR),
            lambda: folder.remove("file"),
            lambda: folder.rename("file", "file"),
        ):
            with pytest.raises(UnexpectedFile, match="another user"):
                act()
    with pytest.raises(UnexpectedFile, match="longer than 5 bytes"):
        read_file(tmp_path, "file", most=5)


def test_what_takes_a_files_place_while_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"ours")
    os.mkfifo(tmp_path / "pipe")
    looked_at = (tmp_path / "file").stat()
    monkeypatch.setattr(OpenFolder, "status", lambda *_: looked_at)
    with pytest.raises(UnexpectedFile, match="named pipe"):
        read_file(tmp_path, "pipe", most=6)
