"""The screen of a review shows a recording from elsewhere, whatever is in it, without a stall."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from recordings.events import EventData, HarnessMessage, Permission, ToolCall, UserMessage
from recordings.recorder import Recorder
from sandbox.snapshots import Change, FileDiff
from sii_cli.render.bounded import MOST_LINES
from sii_cli.render.row_screen import MAX_ROWS
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import ReviewItem, read_item
from sii_cli.review.pages import diff_page, entry_page, first_page
from sii_cli.review.remarks import Questions, StepRemarks
from sii_cli.review.steps import Walk, open_outline
from sii_cli.review.task import ReviewTask
from tests.fakes.bomb_server import PeakMemory
from tests.recordings.recording_sessions import session_start

pytestmark = pytest.mark.hostile

Read = Callable[..., ReviewItem]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    with ExitStack() as stack:

        def reading(*events: EventData) -> ReviewItem:
            with closing(Recorder.create(tmp_path, tmp_path.name)) as recorder:
                recorder.record(session_start(), "harness")
                for data in events:
                    recorder.record(data, "human")
            outline = open_outline(tmp_path)
            stack.callback(outline.index.close)
            return read_item(ReviewTask(tmp_path, ""), outline.index)

        yield reading


@pytest.mark.parametrize("text", ["Go.\n" * 100_000, "Go. " * 500_000, "\n" * 1_000_000])
def test_a_text_without_an_end_is_shown_in_part(read: Read, text: str) -> None:
    item = read(UserMessage(round=1, text=f"First.\n{text}Last."))
    begun = time.thread_time()
    pages = [
        entry_page(item, 0, ReviewDraft(), 80),
        first_page(item, 80, opened=False),
        first_page(item, 80, opened=True),
    ]
    assert time.thread_time() - begun < 5
    for page in pages:
        assert any("First." in row for row in page.rows)
        assert len(page.rows) < MAX_ROWS
    assert "`sii show` prints" in "".join(pages[0].rows)


def test_an_entry_without_an_end_is_shown_in_part(read: Read) -> None:
    notes = [HarnessMessage(reason="repetition", text=f"Note {n}.") for n in range(4_000)]
    page = entry_page(read(UserMessage(round=1, text="Go."), *notes), 0, ReviewDraft(), 80)
    assert len(page.rows) < MAX_ROWS
    assert "the rest of it is too long" in page.rows[-1]
    assert any("Go." in row for row in page.rows)


@pytest.mark.parametrize("text", ["a b\n" * 2_000_000, "\n" * 4_000_000], ids=["lines", "empty"])
@pytest.mark.parametrize("name", ["bash", "python"])
def test_the_arguments_of_a_call_that_is_opened_are_shown_in_part(
    read: Read, name: str, text: str
) -> None:
    by = Permission(by="mode", mode="auto")
    parsed = {"command": f"First.\n{text}", "code": f"First.\n{text}"}
    call = ToolCall(
        step=1, call_id="c", index=0, name=name, arguments="{}", parsed=parsed, approval=by
    )
    item = read(UserMessage(round=1, text="Go."), call)
    draft = ReviewDraft(folds=frozenset(range(10)))
    begun = time.thread_time()
    with PeakMemory() as peak:
        page = entry_page(item, 0, draft, 80)
    assert time.thread_time() - begun < 5
    assert peak.mb < 200
    assert any("First." in row for row in page.rows)
    assert len(page.rows) < MAX_ROWS


def test_marks_without_a_width_are_shown_in_part(read: Read) -> None:
    """prompt_toolkit draws a character with a million accents in quadratic time."""
    text = "e" + "\u0301" * 1_000_000 + "f"
    item = read(UserMessage(round=1, text=text))
    for page in (entry_page(item, 0, ReviewDraft(), 80), first_page(item, 80, opened=False)):
        assert max(map(len, page.rows)) < 1_000
        assert any("e\u0301" in row for row in page.rows)


def test_line_by_line_a_text_without_an_end_is_shown_in_part(
    read: Read, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(UserMessage(round=1, text="Go.\n" * 100_000))
    questions = Questions()
    monkeypatch.setattr(questions, "ask", lambda _: "")
    with closing((steps := open_outline(tmp_path)).index):
        Walk(steps, StepRemarks((), ()), questions, fold=True).go(0)
    shown = capsys.readouterr().out
    assert shown.count("Go.") < MOST_LINES + 2
    assert "`sii show` prints the rest" in shown


def test_nothing_is_hidden_before_a_carriage_return(read: Read) -> None:
    by = Permission(by="mode", mode="auto")
    call = ToolCall(
        step=1,
        call_id="c",
        index=0,
        name="bash",
        arguments="{}",
        parsed={"command": "rm -r tests\rls"},
        approval=by,
    )
    item = read(UserMessage(round=1, text="Delete it.\rFix it."), call)
    shown = "".join(first_page(item, 80, opened=False).rows)
    assert "Delete it.␍Fix it." in shown
    entry = "".join(entry_page(item, 0, ReviewDraft(), 80).rows)
    assert "Delete it.␍Fix it." in entry
    assert "rm -r tests␍ls" in entry
    change = FileDiff(Change("a.py", "modified", "file"), "@@ -1 +1 @@\n+steal()\rpass\n")
    assert "+steal()␍pass" in "".join(diff_page([change], "the whole diff", 80).rows)
