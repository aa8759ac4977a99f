"""The outline and the first screen of a recording: what a reviewer sees first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from recordings.events import (
    Check,
    Compaction,
    FileChange,
    MessageSpan,
)
from recordings.replay.first_screen import is_test, read_first_screen
from recordings.replay.outline import Outline
from recordings.storage.line_index import LineIndex
from sii_cli.render.outline import entry_label
from tests.recordings.stepped_session import SteppedSession

Read = Callable[[Path], Outline]


@pytest.fixture
def read() -> Iterator[Read]:
    with ExitStack() as stack:

        def read(folder: Path) -> Outline:
            index = stack.enter_context(closing(LineIndex(folder)))
            while not index.complete:
                index.extend()
            return Outline(index)

        yield read


def test_an_entry_is_a_message_a_step_a_check_or_a_compaction(tmp_path: Path, read: Read) -> None:
    session = SteppedSession(tmp_path)
    first = session.message("Fix it.")
    call = session.call("bash", '{"command": "ls"}')
    span = MessageSpan(keep=0, new=[])
    summary = Compaction(cause="full", kind="summary", messages=span, before=9, after=1)
    session.recorder.record(summary, "compaction")
    answer = session.answer("Fixed.")
    check = Check(round=1, command="pytest", passed=False, seconds=1.0)
    checked = session.recorder.record(check, "harness").seq
    second = session.message("Not yet.", 2)
    session.recorder.close()
    outline = read(tmp_path)
    entries = [outline[number] for number in range(len(outline))]
    assert [(entry.kind, entry.round, entry.step, entry.failed) for entry in entries] == [
        ("message", 1, 0, False),
        ("step", 1, 1, False),
        ("compaction", 1, 0, False),
        ("step", 1, 2, False),
        ("check", 1, 0, True),
        ("message", 2, 0, False),
    ]
    abouts = [entry.about for entry in entries]
    assert [abouts[0], abouts[1], abouts[3], abouts[4], abouts[5]] == [
        *(first, call, answer, checked, second)
    ]
    assert [seq for entry in entries for seq in entry.events] == list(range(len(outline.index)))
    assert outline.with_event(checked) == 4
    assert outline.with_event(len(outline.index)) is None
    assert (outline.find_round(0), outline.find_round(5), outline.find_round(5, back=True)) == (
        *(5, None, 0),
    )
    labels = [entry_label(outline, number) for number in range(len(outline))]
    assert labels == [
        "Fix it.",
        "bash ls",
        "summary of the history",
        "answer: Fixed.",
        "check failed",
        "Not yet.",
    ]


@pytest.mark.parametrize("late", [False, True])
def test_a_change_belongs_to_its_step(tmp_path: Path, read: Read, late: bool) -> None:
    """Also when the next model call had begun before the snapshot was taken."""
    session = SteppedSession(tmp_path)
    session.message("Fix it.")
    session.snapshot(0, cause="start")
    session.call("bash", "{}")
    change = FileChange(path="money.py", kind="modified", added=2, removed=1)
    if late:
        session.request()
        session.respond("Done.")
    session.snapshot(1, change)
    if not late:
        session.answer("Done.")
    session.recorder.close()
    outline = read(tmp_path)
    assert [outline[number].edits for number in range(3)] == [False, True, False]
    assert [one.changes for one in outline.changes(1)] == [[change]]
    assert outline.trees_of(1) == (f"{0:064x}", f"{1:064x}")
    assert outline.trees_of(2) is None


def test_the_first_screen_has_the_task_and_the_end(tmp_path: Path, read: Read) -> None:
    session = SteppedSession(tmp_path, rubric="Says why?")
    session.message("Fix the rounding.")
    session.snapshot(0, cause="start")
    for step, path in ((1, "money.py"), (2, "money.py"), (3, "tests/test_money.py")):
        session.call("bash", "{}")
        kind = "added" if step == 3 else "modified"
        change = {"path": path, "kind": kind, "added": 2, "removed": 1}
        session.snapshot(step, FileChange.model_validate(change))
    answered = session.answer("Done: split() dropped the remainder.")
    check = Check(round=1, command="pytest", exit_code=0, passed=True, output="4 ok", seconds=1.0)
    session.recorder.record(check, "harness")
    session.recorder.close()
    outline = read(tmp_path)
    screen = read_first_screen(tmp_path, outline)
    assert (screen.task, screen.rubric) == ("Fix the rounding.", "Says why?")
    assert (screen.answer, screen.answered) == ("Done: split() dropped the remainder.", answered)
    assert screen.check is not None
    assert (screen.check.verdict, screen.check.last_lines) == (
        *("check passed (exit code 0): pytest", ("4 ok",)),
    )
    files = [(one.change.path, one.change.added, one.change.removed) for one in screen.files]
    assert files == [("money.py", 4, 2), ("tests/test_money.py", 2, 1)]
    assert screen.trees == (f"{0:064x}", f"{3:064x}")
    (place,) = screen.places
    assert (place.kind, place.what) == ("test_changed", "tests/test_money.py")
    assert outline.with_event(place.seq) == screen.files[1].entries[0]
    hidden = screen.without_check()
    assert (hidden.check, hidden.summary.outcome, hidden.answer) == (None, None, screen.answer)


def test_an_address_that_was_never_opened_is_named(tmp_path: Path, read: Read) -> None:
    session = SteppedSession(tmp_path)
    session.message("Who won?")
    session.call("web_search", '{"query": "who won"}', text="https://b.example/2")
    session.call("web_fetch", '{"url": "https://a.example/1"}')
    session.answer("A won (https://a.example/1), not B [report](https://b.example/2).")
    session.recorder.close()
    screen = read_first_screen(tmp_path, read(tmp_path))
    assert [(place.kind, place.what) for place in screen.places] == [
        ("never_opened", "https://b.example/2")
    ]


def test_a_recording_of_nothing_has_a_first_screen(tmp_path: Path, read: Read) -> None:
    session = SteppedSession(tmp_path)
    session.recorder.close()
    outline = read(tmp_path)
    screen = read_first_screen(tmp_path, outline)
    assert (screen.task, screen.answer, screen.answered, screen.check) == ("", "", None, None)
    assert (screen.files, screen.trees, screen.places) == ((), None, ())
    assert len(outline) == 1


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        *(("tests/test_money.py", True), ("pkg/money_test.go", True), ("src/a.spec.ts", True)),
        *(("conftest.py", True), ("src/contest.py", False), ("latest/money.py", False)),
        *(("protest.md", False), ("test_data.json", True)),
    ],
)
def test_a_test_is_known_by_its_name(path: str, is_one: bool) -> None:
    assert is_test(path) is is_one
