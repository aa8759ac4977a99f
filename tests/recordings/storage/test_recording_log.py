"""The log: what was written comes back; what was cut, locked or refused leaves it whole."""

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.errors import (
    RecordingDamaged,
    RecordingFailed,
    RecordingInUse,
    RecordingNotFound,
    RecordingTooNew,
)
from recordings.events import Parent, RoundEnd, UserMessage
from recordings.recorder import Recorder
from recordings.storage.lines import check_line, seal
from recordings.storage.log import LOG, is_locked, read_events, read_lines
from tests.recordings.data_of import data_of
from tests.recordings.recording_strategies import Saying, said, write

SESSION = "20261123-204950-a3f9c2"

wild = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def say(text: str) -> UserMessage:
    return UserMessage(round=1, text=text)


def chain_of(folder: Path) -> list[str]:
    return [check_line(line.text) or "broken" for line in read_lines(folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("recording")


@wild
@given(sayings=st.lists(said, min_size=1, max_size=12))
def test_every_event_comes_back_as_it_was_written(
    fresh: Callable[[], Path], sayings: list[Saying]
) -> None:
    folder = fresh()
    recorder = Recorder.create(folder, SESSION)
    written = write(recorder, sayings)
    recorder.close()
    assert list(read_events(folder)) == written
    assert [event.seq for event in written] == list(range(len(written)))


@wild
@given(sayings=st.lists(said, min_size=1, max_size=8), more=said, part=st.floats(0, 1))
def test_a_log_cut_at_any_byte_opens_and_goes_on_from_its_last_whole_line(
    fresh: Callable[[], Path], sayings: list[Saying], more: Saying, part: float
) -> None:
    folder = fresh()
    recorder = Recorder.create(folder, SESSION)
    written = write(recorder, sayings)
    recorder.close()
    whole = (folder / LOG).read_bytes()
    first_line = whole.index(b"\n") + 1
    cut = first_line + int(part * (len(whole) - first_line))
    os.truncate(folder / LOG, cut)
    left = whole[:cut].count(b"\n")

    assert list(read_events(folder)) == written[:left]

    recorder = Recorder.resume(folder)
    added = recorder.record(*more)
    recorder.close()
    assert list(read_events(folder)) == [*written[:left], added]
    hashes = chain_of(folder)
    assert [event.prev for event in read_events(folder)] == ["", *hashes[:-1]]


def test_prev_is_the_sha256_of_the_line_before(folder: Path) -> None:
    recorder = Recorder.create(folder, SESSION)
    recorder.record(say("one"), "human")
    second = recorder.record(say("two"), "human")
    recorder.close()
    lines = (folder / LOG).read_bytes().split(b"\n")
    assert second.prev == hashlib.sha256(lines[0]).hexdigest()
    assert recorder.head == hashlib.sha256(lines[1]).hexdigest()


def test_a_fork_names_its_parent_once(folder: Path) -> None:
    parent = Parent("20261123-111111-000000", 7, "ab" * 32)
    recorder = Recorder.create(folder, SESSION, parent)
    recorder.record(say("one"), "human")
    recorder.record(say("two"), "human")
    recorder.close()
    assert [event.parent for event in read_events(folder)] == [parent, None]


def test_text_that_utf8_cannot_hold_is_kept_readable(folder: Path) -> None:
    recorder = Recorder.create(folder, SESSION)
    recorder.record(say("caf\udce9"), "human")
    recorder.close()
    (event,) = read_events(folder)
    assert event.data == say("caf\\udce9")


def test_a_second_writer_is_refused_while_the_first_is_there(folder: Path) -> None:
    recorder = Recorder.create(folder, SESSION)
    recorder.record(say("one"), "human")
    assert is_locked(folder)
    with pytest.raises(RecordingInUse, match="another process"):
        Recorder.resume(folder)
    recorder.close()
    assert not is_locked(folder)
    Recorder.resume(folder).close()


def test_the_lock_of_a_killed_process_is_gone(folder: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path\n"
        "from recordings.recorder import Recorder; from recordings.events import UserMessage\n"
        f"r = Recorder.create(Path({str(folder)!r}), 's')\n"
        "r.record(UserMessage(round=1, text='kept'), 'human')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd())
    assert killed.returncode == -9
    recorder = Recorder.resume(folder)
    recorder.record(RoundEnd(round=1, status="interrupted", steps=0), "harness")
    recorder.close()
    assert [event.type for event in read_events(folder)] == ["user_message", "round_end"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EIO, "disk reports")],
)
def test_a_failed_write_says_the_remedy_and_leaves_no_half_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    recorder = Recorder.create(folder, SESSION)
    first = recorder.record(say("one"), "human")
    real_write = os.write

    def failing(fd: int, data: bytes) -> int:
        monkeypatch.setattr(
            os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(number, ""))
        )
        return real_write(fd, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", failing)
    with pytest.raises(RecordingFailed, match=remedy):
        recorder.record(say("two"), "human")
    monkeypatch.undo()

    assert (folder / LOG).read_bytes().count(b"\n") == 1
    assert (folder / LOG).read_bytes().endswith(b"\n")
    again = recorder.record(say("three"), "human")
    recorder.close()
    assert list(read_events(folder)) == [first, again]


def test_after_a_failed_sync_nothing_more_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder.create(folder, SESSION)
    first = recorder.record(say("one"), "human")
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    with pytest.raises(RecordingFailed, match="disk reports an error"):
        recorder.record(say("two"), "human")
    monkeypatch.undo()
    with pytest.raises(RecordingFailed):
        recorder.record(say("three"), "human")
    recorder.close()
    assert list(read_events(folder)) == [first]


def test_a_really_full_disk_is_a_sentence_and_the_log_stays_whole(folder: Path) -> None:
    """A file size limit is the full disk that every user can make."""
    code = (
        "import resource, signal; from pathlib import Path\n"
        "from recordings.recorder import Recorder; from recordings.events import UserMessage\n"
        "from recordings.errors import RecordingFailed\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        f"r = Recorder.create(Path({str(folder)!r}), 's')\n"
        "try:\n"
        "    while True: r.record(UserMessage(round=1, text='x' * 300), 'human')\n"
        "except RecordingFailed as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "largest size allowed" in run.stdout
    content = (folder / LOG).read_bytes()
    assert len(content) > 3000
    assert content.endswith(b"\n")
    assert "broken" not in chain_of(folder)


def test_an_unwritable_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingFailed, match="cannot be written"):
        Recorder.create(tmp_path / "missing", SESSION)


def test_a_newer_format_is_refused_with_the_way_out(folder: Path) -> None:
    line, _ = seal(b'{"v":99,"session":"s","seq":0,"data":{}')
    (folder / LOG).write_bytes(line + b"\n")
    with pytest.raises(RecordingTooNew, match="upgrade sii"):
        list(read_events(folder))


def test_a_damaged_line_is_named(folder: Path) -> None:
    recorder = Recorder.create(folder, SESSION)
    for text in ("one", "two", "three"):
        recorder.record(say(text), "human")
    recorder.close()
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content.replace(b'"text":"two"', b'"text":two"'))
    with pytest.raises(RecordingDamaged, match="Line 2"):
        list(read_events(folder))


def test_what_is_too_long_to_be_read_back_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.storage.log.LONGEST_LINE", 1 << 20)
    recorder = Recorder.create(folder, SESSION)
    recorder.record(say("one"), "human")
    with pytest.raises(RecordingFailed, match="1 MiB is too long"):
        recorder.record(say("x" * (1 << 20)), "human")
    recorder.record(say("x" * (1 << 19)), "human")
    recorder.close()
    assert [len(one.text) for one in data_of(read_events(folder), UserMessage)] == [3, 1 << 19]


def test_a_log_whose_last_line_was_changed_is_not_appended_to(folder: Path) -> None:
    recorder = Recorder.create(folder, SESSION)
    recorder.record(say("one"), "human")
    recorder.close()
    content = (folder / LOG).read_bytes()
    (folder / LOG).write_bytes(content.replace(b"one", b"two"))
    with pytest.raises(RecordingDamaged, match="sii verify"):
        Recorder.resume(folder)
    assert not is_locked(folder)


def test_no_recording_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound, match="no recording"):
        list(read_events(tmp_path))
    with pytest.raises(RecordingNotFound, match="no recording"):
        Recorder.resume(tmp_path)


@wild
@given(
    sayings=st.lists(said, min_size=1, max_size=4),
    part=st.floats(0, 1, exclude_max=True),
    flip=st.integers(1, 255),
)
def test_a_change_of_any_byte_is_seen_by_the_line_itself(
    fresh: Callable[[], Path], sayings: list[Saying], part: float, flip: int
) -> None:
    folder = fresh()
    recorder = Recorder.create(folder, SESSION)
    write(recorder, sayings)
    recorder.close()
    content = bytearray((folder / LOG).read_bytes())
    content[int(part * len(content))] ^= flip
    lines = bytes(content).split(b"\n")
    torn = lines.pop()
    assert torn or any(check_line(line) is None for line in lines)
