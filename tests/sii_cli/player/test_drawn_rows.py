"""What stands on the player's screen at a position, however one came there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recordings.replay.timeline import shown
from recordings.storage.line_index import LineIndex
from sii_cli.player import drawn_rows
from sii_cli.player.drawn_rows import DrawnRows
from sii_cli.render import row_screen
from tests.recordings.recording_sessions import record_session


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LineIndex]:
    record_session(tmp_path, rounds=4, steps=6)
    with closing(LineIndex(tmp_path)) as index:
        index.extend()
        yield index


@pytest.mark.parametrize("seek_back", [20, 400])
def test_a_jump_ends_where_playing_would(
    index: LineIndex, monkeypatch: pytest.MonkeyPatch, seek_back: int
) -> None:
    monkeypatch.setattr(drawn_rows, "BACK_LINES", seek_back)
    played = DrawnRows(index)
    played.rebuild(0, 80)
    for number in range(len(index)):
        for _, item in shown(index.event(number)):
            played.feed(item)
        jumped = DrawnRows(index)
        jumped.rebuild(number + 1, 80)
        seen = jumped.screen.rows[-12:]
        assert played.screen.rows[len(played.screen.rows) - len(seen) :] == seen
        assert played.screen.growing == jumped.screen.growing


def test_rows_far_back_are_dropped_and_still_counted(
    index: LineIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_screen, "MAX_ROWS", 20)
    short, whole = DrawnRows(index), DrawnRows(index)
    for drawn in (short, whole):
        drawn.rebuild(0, 80)
    for number in range(len(index)):
        for _, item in shown(index.event(number)):
            short.feed(item)
    monkeypatch.setattr(row_screen, "MAX_ROWS", 10_000)
    for number in range(len(index)):
        for _, item in shown(index.event(number)):
            whole.feed(item)
    assert len(short.screen.rows) <= 40
    assert short.screen.dropped + len(short.screen.rows) == len(whole.screen.rows)
    assert whole.screen.rows[short.screen.dropped :] == short.screen.rows
