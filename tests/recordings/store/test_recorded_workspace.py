"""Which snapshot a recording names for a moment of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from recordings.events import (
    EventData,
    Observation,
    Permission,
    SessionEnd,
    SessionResume,
    Snapshot,
    SnapshotFailed,
    ToolCall,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.store.workspaces import WorkspaceAt, snapshots_of, workspace_at


def call(step: int, call_id: str) -> ToolCall:
    return ToolCall(
        step=step,
        call_id=call_id,
        index=0,
        name="bash",
        arguments="{}",
        approval=Permission(by="mode", mode="auto"),
    )


def observed(step: int, call_id: str) -> Observation:
    return Observation(step=step, call_id=call_id, name="bash", text="", seconds=0.1)


def snapshot(tree: str, step: int, cause: Literal["start", "step", "round"] = "step") -> Snapshot:
    return Snapshot(tree=tree, step=step, cause=cause, seconds=0.1)


SAID = UserMessage(round=1, text="hello")
END = SessionEnd(status="done", rounds=1, steps=1)
RESUMED = SessionResume(sii_version="0", model="m", base_url="")
STEP: list[EventData] = [call(1, "a"), observed(1, "a"), call(1, "b"), observed(1, "b")]


@pytest.mark.parametrize(
    ("events", "seq", "tree", "exact"),
    [
        ([SAID, snapshot("t0", 0, "start"), *STEP, END], 0, "t0", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP, END], 1, "t0", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP, snapshot("t1", 1)], 5, "t1", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP, snapshot("t1", 1)], 6, "t1", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP, snapshot("t1", 1)], 2, "t0", False),
        ([SAID, snapshot("t0", 0, "start"), *STEP, snapshot("t1", 1)], 3, "t0", False),
        ([SAID, snapshot("t0", 0, "start"), *STEP, call(2, "c")], 5, "t0", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP, END], 5, "t0", True),
        ([SAID, snapshot("t0", 0, "start"), *STEP], 5, "t0", False),
        ([SAID, snapshot("t0", 0, "start"), *STEP, RESUMED], 5, "t0", False),
        (
            [
                snapshot("t0", 0, "start"),
                *STEP,
                SnapshotFailed(step=1, reason=""),
                *[call(2, "c"), observed(2, "c")],
            ],
            6,
            "t0",
            False,
        ),
        ([snapshot("t0", 0, "start"), SAID, snapshot("t1", 0, "round")], 1, "t1", True),
        ([snapshot("t0", 0, "start"), SAID, snapshot("t1", 0, "round")], 0, "t0", True),
    ],
)
def test_a_moment_has_the_snapshot_that_stands_for_it(
    tmp_path: Path, events: list[EventData], seq: int, tree: str, exact: bool
) -> None:
    write(tmp_path, events)
    found = workspace_at(tmp_path, seq)
    assert found is not None
    assert (found.tree, found.exact) == (tree, exact)


def test_a_recording_without_snapshots_says_so(tmp_path: Path) -> None:
    write(tmp_path, [SAID, *STEP, END])
    assert workspace_at(tmp_path, 4) is None
    assert list(snapshots_of(tmp_path)) == []


def test_the_end_of_a_recording_has_its_last_snapshot(tmp_path: Path) -> None:
    write(tmp_path, [SAID, *STEP, snapshot("t1", 1)])
    assert workspace_at(tmp_path, 10_000) == WorkspaceAt("t1", 1, True)


def write(folder: Path, events: list[EventData]) -> None:
    recorder = Recorder.create(folder, "s")
    for data in events:
        recorder.record(data, "harness")
    recorder.close()
