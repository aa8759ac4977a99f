"""The lines above and below a review fit the window, also in characters that take two cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.cells import cell_len

from recordings.reviews.rubric import RubricQuestion
from recordings.storage.line_index import LineIndex
from recordings.store.summary import RecordingSummary, summarise
from sii_cli.review.bars import header, questions_bar
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import read_item
from sii_cli.review.reviewing import Reviewing
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.task import ReviewTask
from tests.recordings.stepped_session import SteppedSession

GOAL = RubricQuestion("goal", "scale", title="目标是否完全达到", least=1, most=5, whole=True)
KIND = RubricQuestion("kind", "choice", title="错误的种类", choices=("没有错误", "严重的错误"))
STYLE = RubricQuestion("style", "text", title="回答写得怎么样")


@dataclass(frozen=True, slots=True)
class _Shown:
    task: ReviewTask
    summary: RecordingSummary
    reviewing: Reviewing


@pytest.fixture
def shown(tmp_path: Path) -> _Shown:
    session = SteppedSession(tmp_path)
    session.message("修复四舍五入的错误" * 8)
    session.answer("好了")
    session.recorder.close()
    index = LineIndex(tmp_path)
    while not index.complete:
        index.extend()
    questions = tuple(ReviewQuestion(one.name, one) for one in (GOAL, KIND, STYLE))
    task = ReviewTask(tmp_path, "", 2, 40, questions)
    reviewing = Reviewing(read_item(task, index), ReviewDraft(), lambda _: None)
    index.close()
    return _Shown(task, summarise(tmp_path), reviewing)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_where_one_is_is_read_beside_a_wide_title(shown: _Shown, width: int) -> None:
    line = header(shown, width)[0][1]
    assert cell_len(line) == width
    assert line.startswith(" 2 of 40 ·")
    assert line.rstrip().endswith("first screen" if width > 40 else "…")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_question_in_focus_is_whole_among_wide_ones(shown: _Shown, width: int) -> None:
    shown.reviewing.focus_on(1)
    rows = questions_bar(shown, width)
    assert sum(cell_len(fragment[1]) for fragment in rows) <= width
    (focused,) = [fragment[1] for fragment in rows if fragment[0] == "reverse"]
    assert focused == " 错误的种类 [–] 1 没有错误 2 严重的错误"


def test_a_scale_says_its_ends(shown: _Shown) -> None:
    assert questions_bar(shown, 120)[0][1] == " 目标是否完全达到 [–] 1 to 5"
