"""The outline of a recording from elsewhere takes little memory, whatever is in it."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from recordings.events import FileChange, Snapshot, UserMessage
from recordings.recorder import Recorder
from recordings.replay.first_screen import MOST_FILES, read_first_screen
from recordings.replay.outline import Outline
from recordings.storage.line_index import LineIndex
from tests.recordings.recording_sessions import session_start

pytestmark = pytest.mark.hostile

SNAPSHOTS, CHANGES = 20, 2500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(Recorder.create(tmp_path, tmp_path.name)) as recorder:
        recorder.record(session_start(), "harness")
        recorder.record(UserMessage(round=1, text="Go."), "human")
        for step in range(1, SNAPSHOTS + 1):
            changes = [
                FileChange(path=f"tests/{step}-{number}.py", kind="added", added=1, removed=0)
                for number in range(CHANGES)
            ]
            recorder.record(
                Snapshot(
                    cause="step", step=step, tree=f"{step:064x}", seconds=0.0, changes=changes
                ),
                "harness",
            )
    return tmp_path


def test_snapshots_without_an_end_take_little_memory(folder: Path) -> None:
    with closing(LineIndex(folder)) as index:
        while not index.complete:
            index.extend()
        tracemalloc.start()
        outline = Outline(index)
        screen = read_first_screen(folder, outline)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(screen.files) == MOST_FILES
        assert screen.trees == (f"{1:064x}", f"{SNAPSHOTS:064x}")
    assert most < 30e6
