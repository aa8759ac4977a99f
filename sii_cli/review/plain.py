"""Reviewing line by line: for pipes, and for screen readers, which a full screen does not suit."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from recordings.reviews.approval import Verdict
from recordings.reviews.review import Coverage, RubricAnswer
from recordings.reviews.reviews import counted_reviews
from recordings.reviews.rubric import AnswerUnusable
from sii_cli.config.home_key import review_keys
from sii_cli.options.endings import ended_lines
from sii_cli.options.recordings import warn_of_outages, warn_when_void
from sii_cli.review.remarks import Questions, ReviewStopped, Skip, StepRemarks
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.steps import Walk, open_outline
from sii_cli.review.verdicts import give_review, hash_to_review, warn_of_author

_KEYS = ("a", "r", "n", "b", "s", "q")
"""Keys of the verdict, which answer no question."""
_VERDICTS: dict[str, Verdict] = {"a": "approve", "r": "reject", "n": "needs_work"}


@dataclass(frozen=True, slots=True)
class PlainReviewer:
    """Who reviews, and how."""

    name: str
    questions: tuple[ReviewQuestion, ...]
    """Of the rubric."""
    fold: bool

    def review(self, folder: Path, number: int = 1, of: int = 1) -> bool:
        """Review a recording and keep what was said; return whether another may follow.

        Raises `SiiError`, `RecordingError`.
        """
        warn_when_void(folder)
        sha256 = hash_to_review(folder)
        warn_of_outages(folder)
        warn_of_author(folder, self.name)
        for line in ended_lines(folder):
            click.echo(line, err=True)
        counted = counted_reviews(folder, review_keys(folder))
        own = [review for review in counted if review.reviewer == self.name]
        words = StepRemarks(step for review in own for step in review.steps)
        verdict: Verdict | None = None
        note, goes_on = "", True
        answers: dict[str, RubricAnswer] = {}
        questions = Questions()
        steps = open_outline(folder)
        with closing(steps.index):
            walk, count = Walk(steps, words, questions, fold=self.fold), len(steps)
            try:
                verdict, note = self._judge(walk, count, questions, answers)
            except Skip:
                pass
            except (ReviewStopped, KeyboardInterrupt):  # a key does not lose a reviewer's remarks
                click.echo(err=True)
                goes_on = False
        if verdict is None and not (words or answers):
            click.echo("Nothing was said, so nothing was kept.", err=True)
            return goes_on
        give_review(
            folder,
            self.name,
            sha256,
            verdict=verdict,
            note=note,
            rubric=answers,
            steps=words.reviews(),
            seconds=round(questions.seconds, 3),
            coverage=Coverage(
                steps=len(walk.opened), of_steps=count, folds=0 if self.fold else None
            ),
        )
        return goes_on

    def _judge(
        self, walk: Walk, steps: int, questions: Questions, answers: dict[str, RubricAnswer]
    ) -> tuple[Verdict | None, str]:
        """Walk through the steps until a verdict is given; put the rubric's answers into `answers`.

        Raises `ReviewStopped`, `Skip`.
        """
        at = 0
        while True:
            walk.go(at)
            for question in self.questions:
                answer = _answer(questions, question, answers.get(question.name))
                if answer is not None:
                    answers[question.name] = answer
            judged = _ask_verdict(questions)
            if judged is not None:
                return judged
            at = steps - 1


def _ask_verdict(questions: Questions) -> tuple[Verdict | None, str] | None:
    """Ask for the verdict, and for the reason unless it is an approval.

    `None` means back to the last step. Raises `ReviewStopped`, `Skip`.
    """
    entered = False
    keys = "a approve · r reject · n needs work · Enter none · b back · s skip · q stop"
    while True:
        answer = questions.ask(f"{keys} › ").lower()
        match answer:
            case "" if entered:
                return None, ""
            case "":  # one Enter too many does not end the review
                entered = True
                click.echo("Enter again: no verdict.", err=True)
            case "b":
                return None
            case "s":
                raise Skip
            case "q":
                raise ReviewStopped
            case "a" | "r" | "n":
                verdict = _VERDICTS[answer]
                return verdict, _ask_note(questions, verdict)
            case _:
                click.echo("One of the keys a, r, n, b, s, q, or Enter alone.", err=True)


def _ask_note(questions: Questions, verdict: Verdict) -> str:
    if verdict == "approve":
        with suppress(ReviewStopped):  # an approval needs no note
            return questions.ask("note › ")
        return ""
    note = questions.ask("why › ")
    while not note:
        note = questions.ask("say why › ")
    return note


def _answer(
    questions: Questions, question: ReviewQuestion, before: RubricAnswer | None
) -> RubricAnswer | None:
    """Ask for a question's answer; `None` means the earlier one is kept."""
    title = question.title + "".join(f" · {one}" for one in question.choices)
    while said := questions.ask(
        f"{title} › " if before is None else f"{title} ({before.value}) › "
    ):
        if said in _KEYS and said not in question.choices:
            click.echo(f"This asks: {question.title}. The verdict is asked for after it.", err=True)
            continue
        try:
            return question.answer(said)
        except AnswerUnusable as wanted:
            click.echo(f"This wants {wanted}.", err=True)
    return None
