"""What the keys of a review do, without a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from recordings.events import Check, FileChange
from recordings.reviews.rubric import RubricQuestion
from recordings.storage.line_index import CALL, ERROR, USER, LineIndex
from recordings.storage.log import recording_hash
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import read_item
from sii_cli.review.outline_rows import OutlineRows
from sii_cli.review.pane import ReviewPane
from sii_cli.review.reviewing import Reviewing
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.task import ReviewTask
from sii_cli.review.words import FIRST
from tests.recordings.stepped_session import SteppedSession

STYLE = RubricQuestion("style", "choice", choices=("good", "poor"))
QUESTIONS = (ReviewQuestion("goal reached"), ReviewQuestion("style", STYLE))
Open = Callable[..., Reviewing]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    session = SteppedSession(tmp_path)
    session.message("Fix it.")
    session.call("read_file", '{"path": "a.py"}', text="Traceback (most recent call last):")
    session.call("bash", '{"command": "pytest | tail"}', text="2 failed, 1 passed", exit_code=0)
    session.call("bash", '{"command": "false"}', exit_code=1)
    session.answer("Fixed.")
    check = Check(round=1, command="pytest", exit_code=1, passed=False, seconds=1.0)
    session.recorder.record(check, "harness")
    session.message("Not yet.", 2)
    session.call("bash", '{"command": "true"}', exit_code=0)
    session.snapshot(5, FileChange(path="tests/test_a.py", kind="modified", added=1, removed=1))
    session.answer("Now it is.")
    session.recorder.close()
    return tmp_path


@pytest.fixture
def saved() -> list[ReviewDraft]:
    return []


@pytest.fixture
def begin(folder: Path, saved: list[ReviewDraft]) -> Iterator[Open]:
    with ExitStack() as stack:

        def begin(draft: ReviewDraft | None = None, **task: object) -> Reviewing:
            index = stack.enter_context(closing(LineIndex(folder)))
            while not index.complete:
                index.extend()
            fields = {"questions": QUESTIONS} | task
            made = ReviewTask(folder, recording_hash(folder), **fields)  # type: ignore[arg-type]
            item = read_item(made, index)
            return Reviewing(item, ReviewDraft() if draft is None else draft, saved.append)

        yield begin


def kinds_at(reviewing: Reviewing, number: int) -> str:
    return reviewing.item.outline[number].kind


def kinds(reviewing: Reviewing) -> tuple[str, int]:
    entry = reviewing.item.outline[reviewing.at]
    return entry.kind, entry.step


def test_jumps_find_what_failed_behind_a_pipe(begin: Open) -> None:
    reviewing = begin()
    found = []
    for _ in range(4):
        reviewing.jump(ERROR)
        found.append(kinds(reviewing))
    assert found == [("step", 2), ("step", 3), ("check", 0), ("check", 0)]
    assert reviewing.said == "there is no error after this"
    reviewing.jump(ERROR, back=True)
    assert kinds(reviewing) == ("step", 3)
    reviewing.jump(USER)
    assert kinds(reviewing) == ("message", 0)
    reviewing.jump(CALL)
    assert kinds(reviewing) == ("step", 5)
    reviewing.round(back=True)
    assert kinds(reviewing) == ("message", 0)
    reviewing.place()
    assert kinds(reviewing) == ("step", 5)


def test_the_check_is_hidden_where_the_protocol_says_so(begin: Open) -> None:
    reviewing, pane = begin(shows_check=False), ReviewPane()
    assert "CHECK" not in "".join(pane.rows(reviewing, 80, 30))
    for _ in range(3):
        reviewing.jump(ERROR)
    assert kinds(reviewing) == ("step", 3)
    reviewing.show(5)
    assert kinds(reviewing) == ("check", 0)
    assert "failed" not in "".join(pane.rows(reviewing, 80, 30))


def test_digits_answer_and_after_f_they_flag(begin: Open) -> None:
    reviewing = begin()
    reviewing.digit(4)
    assert reviewing.focus == 1
    reviewing.digit(3)
    assert reviewing.said == "style wants a number from 1 to 2"
    reviewing.digit(2)
    assert {name: one.value for name, one in reviewing.draft.rubric.items()} == {
        "goal reached": 4.0,
        "style": "poor",
    }
    reviewing.flag()
    assert (reviewing.flagging, reviewing.said) == (
        False,
        "this is about a step: j goes to the first",
    )
    reviewing.show(2)
    reviewing.flag()
    reviewing.digit(1)
    reviewing.flag()
    reviewing.digit(9)
    assert reviewing.about is not None
    step = reviewing.draft.steps[reviewing.about]
    assert (step.flags, step.mark) == (("wrong",), "bad")
    reviewing.flag()
    reviewing.digit(1)
    assert reviewing.draft.steps[reviewing.about].flags == ()


def test_the_flags_are_those_of_the_protocol(begin: Open) -> None:
    reviewing = begin(flags=("invented",))
    reviewing.show(2)
    for digit in (1, 2, 7):
        reviewing.flag()
        reviewing.digit(digit)
    assert reviewing.about is not None
    step = reviewing.draft.steps[reviewing.about]
    assert (step.flags, step.mark) == (("invented",), "good")


def test_what_was_said_last_is_taken_back(begin: Open) -> None:
    reviewing = begin()
    reviewing.show(1)
    reviewing.exclude()
    reviewing.arm("approve")
    reviewing.undo()
    assert reviewing.draft.verdict is None
    assert reviewing.about is not None
    assert reviewing.draft.steps[reviewing.about].exclude is True
    reviewing.undo()
    assert reviewing.draft.steps == {}
    reviewing.undo()
    assert reviewing.said == "nothing was said yet that can be taken back"


def test_nothing_is_sent_by_one_key(begin: Open) -> None:
    reviewing = begin()
    assert not reviewing.send(is_checked=True)
    assert reviewing.said.startswith("nothing was said yet")
    reviewing.arm("approve")
    assert not reviewing.send(is_checked=True)
    assert reviewing.said == "2 not answered: y again sends it so"
    reviewing.key_pressed()
    assert not reviewing.send(is_checked=True)  # another key came between
    assert reviewing.send(is_checked=True)


def test_a_verdict_on_too_little_is_asked_for_once_more(begin: Open) -> None:
    reviewing = begin(questions=(), coverage_floor=0.3)
    reviewing.show(2)
    reviewing.arm("approve")
    assert not reviewing.send(is_checked=True)
    entries = len(reviewing.item.outline)
    assert reviewing.said == (
        f"y again sends it so: 1 of {entries} steps opened, below the 30% that the protocol wants"
    )
    assert reviewing.send(is_checked=True)
    assert reviewing.coverage.is_below_floor
    enough = begin(questions=(), coverage_floor=0.3)
    for number in range(entries):
        enough.show(number)
    enough.arm("approve")
    assert enough.send(is_checked=True)


def test_what_was_judged_before_is_shown_only_on_demand(begin: Open) -> None:
    whole = begin()
    second = next(n for n in range(1, 9) if kinds_at(whole, n) == "message")
    new_from = whole.item.outline[second].events.start
    reviewing = begin(new_from=new_from, questions=())
    assert reviewing.begins == second
    reviewing.move(1)
    assert reviewing.at == second, "the first step is the first new one"
    reviewing.jump(ERROR, back=True)
    assert reviewing.said.startswith("there is no error before")
    reviewing.move(-1)
    assert reviewing.at == FIRST
    reviewing.jump(CALL)
    assert reviewing.at > second
    assert [place.seq >= new_from for place in reviewing.places] == [True] * len(reviewing.places)
    assert reviewing.coverage.of_steps == len(reviewing.item.outline) - second
    rows = OutlineRows(reviewing.item).fragments(FIRST, reviewing.draft, 30, 40, reviewing.begins)
    shown = "".join(text for _, text, *_ in rows)
    assert "Not yet." in shown
    assert "Fix it." not in shown
    reviewing.show_whole()
    reviewing.show(0)
    assert reviewing.at == 0
    assert reviewing.coverage.of_steps == len(reviewing.item.outline) - second
    whole.show_whole()
    assert whole.said == "all of it is new to you"


def test_each_thing_that_is_missing_is_asked_for_once(begin: Open) -> None:
    reviewing = begin(coverage_floor=1.0)
    reviewing.arm("approve")
    assert [reviewing.send(is_checked=True) for _ in range(3)] == [False, False, True]


def test_what_is_sent_waits_until_the_recording_was_checked(begin: Open) -> None:
    reviewing = begin(questions=())
    reviewing.arm("approve")
    assert not reviewing.send(is_checked=False)
    assert reviewing.waits
    reviewing.key_pressed()
    assert not reviewing.waits, "another key takes it back"
    assert not reviewing.send(is_checked=False)
    assert reviewing.send(is_checked=True)


def test_what_the_protocol_requires_is_answered_before_a_verdict(begin: Open) -> None:
    why = RubricQuestion("why", "text", required=True, cites=True)
    scale = RubricQuestion("goal", "scale", least=1, most=5, whole=True)
    reviewing = begin(questions=(ReviewQuestion("goal", scale), ReviewQuestion("why", why)))
    reviewing.digit(9)
    assert reviewing.said == "goal wants a whole number from 1 to 5"
    reviewing.digit(4)
    assert reviewing.said == "answered: goal"
    reviewing.digit(3)  # a digit too many is not the words of the next question
    assert reviewing.said == "why wants words: = begins them"
    assert "why" not in reviewing.draft.rubric
    reviewing.arm("approve")
    assert not reviewing.send(is_checked=True)
    assert not reviewing.send(is_checked=True)
    assert reviewing.said == "the protocol wants an answer: why"
    reviewing.show(2)
    reviewing.type("answer")
    reviewing.typed("it ran the tests")
    assert reviewing.draft.rubric["why"].cites == (reviewing.about,)
    assert reviewing.send(is_checked=True)


def test_a_rejection_wants_its_reason(begin: Open) -> None:
    reviewing = begin(questions=())
    reviewing.arm("reject")
    assert reviewing.draft.typed is not None
    reviewing.typed("  ")
    assert not reviewing.send(is_checked=True)
    reviewing.typed("it never ran the tests")
    assert reviewing.send(is_checked=True)
    said = reviewing.draft.said(reviewing.draft.coverage(range(7), 0.0), blind=False)
    assert (said["verdict"], said["note"]) == ("reject", "it never ran the tests")


def test_a_session_is_sent_back_at_the_first_wrong_step(begin: Open) -> None:
    reviewing = begin(questions=())
    reviewing.show(3)
    reviewing.type("send back")
    reviewing.typed("it runs false")
    assert reviewing.about is not None
    step = reviewing.draft.steps[reviewing.about]
    assert (step.flags, step.comment) == (("wrong",), "it runs false")
    assert (reviewing.draft.verdict, reviewing.draft.note) == ("needs_work", "it runs false")
    assert not reviewing.is_sent
    assert reviewing.send(is_checked=True)


def test_every_key_is_in_the_draft_and_a_draft_is_taken_up(
    begin: Open, saved: list[ReviewDraft]
) -> None:
    reviewing = begin()
    reviewing.show(2)
    reviewing.digit(4)
    reviewing.type("comment")
    reviewing.typing("half a sen")
    kept = ReviewDraft.model_validate(json.loads(json.dumps(saved[-1].model_dump(mode="json"))))
    again = begin(kept)
    assert (again.at, again.draft.opened, again.focus) == (2, frozenset({2}), 1)
    assert again.draft.typed is not None
    assert (again.draft.typed.purpose, again.draft.typed.text) == ("comment", "half a sen")
    again.typed("half a sentence")
    assert again.about is not None
    assert again.draft.steps[again.about].comment == "half a sentence"


def test_folds_are_opened_and_counted(begin: Open, folder: Path) -> None:
    reviewing, pane = begin(), ReviewPane()
    reviewing.show(2)
    pane.rows(reviewing, 80, 30)
    reviewing.toggle_folds(pane.foldable)
    assert reviewing.said == "nothing here is folded"
    reviewing.toggle_folds([5, 6])
    coverage = reviewing.draft.coverage(range(9), 0.0)
    assert (coverage.steps, coverage.of_steps, coverage.folds) == (1, 9, 2)
    reviewing.toggle_folds([5, 6])
    assert reviewing.draft.folds == frozenset()


def test_a_gap_counts_as_three_minutes_at_most() -> None:
    assert ReviewDraft().after(10).after(4000).seconds == 190


def test_it_begins_on_the_first_screen(begin: Open) -> None:
    reviewing, pane = begin(), ReviewPane()
    assert reviewing.at == FIRST
    shown = "\n".join(pane.rows(reviewing, 80, 40))
    for words in ("TASK", "Fix it.", "check failed", "a test was changed", "Now it is."):
        assert words in shown
    pane.scroll(reviewing, 40, 0, 1.0)
    assert reviewing.at == 0
