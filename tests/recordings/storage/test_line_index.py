"""The index of a recording's lines: places, times and marks, as far as was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from recordings.errors import RecordingDamaged
from recordings.events import ToolCall, UserMessage
from recordings.recorder import Recorder
from recordings.replay.timeline import timeline
from recordings.storage import line_index
from recordings.storage.line_index import CALL, ERROR, USER, LineIndex
from recordings.storage.log import LOG, read_events
from recordings.storage.pack import pack
from tests.recordings.recording_sessions import record_session

Open = Callable[[Path], LineIndex]


@pytest.fixture
def begun() -> Iterator[Open]:
    """Opens an index that has read nothing yet."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(closing(LineIndex(folder)))


@pytest.fixture
def whole(begun: Open) -> Open:
    """Opens an index that has read to the end."""

    def read(folder: Path) -> LineIndex:
        index = begun(folder)
        while not index.complete:
            index.extend()
        return index

    return read


@pytest.mark.parametrize("packed", [False, True])
def test_every_event_is_read_from_its_place(tmp_path: Path, whole: Open, packed: bool) -> None:
    record_session(tmp_path, rounds=3)
    if packed:
        pack(tmp_path)
    index = whole(tmp_path)
    events = list(read_events(tmp_path))
    assert list(index.events(0, len(index))) == events
    assert index.event(7) == events[7]
    calls = [event.seq for event in events if isinstance(event.data, ToolCall)]
    assert index.find(CALL, 0) == calls[0]
    assert index.find(CALL, calls[0] + 1) == calls[1]
    assert index.find(CALL, len(index) - 1, back=True) == calls[-1]
    assert index.find(CALL, calls[-1] + 1) is None
    assert index.find(CALL, calls[0] - 1, back=True) is None
    users = [event.seq for event in events if isinstance(event.data, UserMessage)]
    assert [number for number in range(len(index)) if index.marks[number] & USER] == users


def test_times_are_those_of_a_replay(tmp_path: Path, whole: Open) -> None:
    parent, child = tmp_path / "parent", tmp_path / "child"
    for folder in (parent, child):
        folder.mkdir()
    record_session(parent, rounds=2)
    Recorder.fork(parent, 12, child, "child").close()
    recorder = Recorder.resume(child)
    recorder.record(UserMessage(round=2, text="on"), "human")
    recorder.close()
    for folder in (parent, child):
        index = whole(folder)
        total = sum(wait for wait, _ in timeline(read_events(folder)))
        assert index.times[-1] == pytest.approx(total, abs=1e-6)
        assert list(index.times) == sorted(index.times)
        assert index.at(index.times[5]) >= 6


def test_it_reads_no_further_than_it_is_asked(
    tmp_path: Path, begun: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_index, "_LINES", 10)
    record_session(tmp_path)
    index = begun(tmp_path)
    index.extend()
    assert (len(index), index.complete) == (10, False)


def test_failures_are_marked_and_words_of_failures_are_not(tmp_path: Path, whole: Open) -> None:
    def change(session: object) -> None:
        session.step(1, error="timeout")  # type: ignore[attr-defined]
        session.end()  # type: ignore[attr-defined]

    record_session(tmp_path, rounds=1, steps=1, change=change)
    recorder = Recorder.resume(tmp_path)
    recorder.record(UserMessage(round=9, text='"error":"x" "exit_code":1'), "human")
    recorder.close()
    index = whole(tmp_path)
    failed = [number for number in range(len(index)) if index.marks[number] & ERROR]
    assert [index.event(number).type for number in failed] == ["observation"]


def test_a_line_that_is_no_event_is_told(tmp_path: Path, whole: Open) -> None:
    record_session(tmp_path)
    with open(tmp_path / LOG, "ab") as log:
        log.write(b"{}\n")
    with pytest.raises(RecordingDamaged, match="is not an event"):
        whole(tmp_path)
