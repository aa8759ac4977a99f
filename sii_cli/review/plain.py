"""Reviewing line by line: for pipes, and for screen readers, which a full screen does not suit."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from recordings.reviews.approval import Verdict
from recordings.reviews.protocol import ReviewProtocol
from recordings.reviews.review import Coverage, RubricAnswer, Said
from recordings.reviews.reviews import counted_reviews
from recordings.reviews.rubric import AnswerUnusable
from sii_cli.config.home_key import review_keys
from sii_cli.config.settings import find_key_home
from sii_cli.options.endings import ended_lines
from sii_cli.options.recordings import warn_of_outages, warn_when_void
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item
from sii_cli.review.draft import ReviewDraft, load_draft
from sii_cli.review.new_part import first_new_event, judged_words
from sii_cli.review.queue import REVIEW, QueuedRecording, ReviewQueue
from sii_cli.review.remarks import Questions, ReviewStopped, Skip, StepRemarks
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.steps import Walk, open_outline
from sii_cli.review.verdicts import give_review, hash_to_review, tell_sent, warn_of_author
from sii_cli.review.words import Ending

_KEYS = ("a", "r", "w", "b", ".", "q")
"""Keys of the verdict, which answer no question."""
_VERDICTS: dict[str, Verdict] = {"a": "approve", "r": "reject", "w": "needs_work"}


@dataclass(frozen=True, slots=True)
class PlainReviewer:
    """Who reviews, and how (a `QueueReviewer`)."""

    name: str
    questions: tuple[ReviewQuestion, ...]
    """Of the rubric."""
    protocol: ReviewProtocol
    fold: bool

    def review(self, folder: Path, number: int = 1, of: int = 1) -> bool:
        """Review a recording and keep what was said; return whether another may follow.

        Raises `SiiError`, `RecordingError`.
        """
        drafts = Drafts(find_key_home(os.environ), self.name)
        sha256 = hash_to_review(folder)
        ending, said = self._read(folder, sha256, drafts, lambda: None)
        if said:
            give_review(folder, self.name, sha256, **said)
            tell_sent(said)
        drafts.remove(Item(REVIEW, folder.name))
        return ending != "left"

    def review_next(self, queue: ReviewQueue, one: QueuedRecording, number: int, of: int) -> Ending:
        """Review what the queue gave, and keep what was sent.

        Raises `SiiError`, `RecordingError`.
        """
        click.echo(f"{number} of {of}: {one.folder.name}", err=True)
        hash_to_review(one.folder)
        stay = partial(queue.heartbeat, one)
        ending, said = self._read(one.folder, one.sha256, queue.drafts, stay)
        if ending == "sent":
            queue.send(one, **said)
        elif said:
            give_review(one.folder, self.name, one.sha256, **said)
        if said:
            tell_sent(said)
        queue.drafts.remove(one.item)
        return ending

    def _read(
        self, folder: Path, sha256: str, drafts: Drafts, stay: Callable[[], object]
    ) -> tuple[Ending, Said]:
        """Return how it ended, and what was said; empty where nothing was."""
        warn_when_void(folder)
        warn_of_outages(folder)
        warn_of_author(folder, self.name)
        counted = counted_reviews(folder, review_keys(folder))
        judged = {one.reviewer for one in counted if one.verdict and one.sha256 == sha256}
        shows_check = self.protocol.shows_check_to(self.name, judged)
        for line in ended_lines(folder, shows_check=shows_check):
            click.echo(line, err=True)
        own = [review for review in counted if review.reviewer == self.name]
        item = Item(REVIEW, folder.name)
        kept = load_draft(drafts, item, sha256)
        draft = kept or ReviewDraft()
        if kept is not None:
            click.echo("Your draft is continued.", err=True)
        words = StepRemarks((step for review in own for step in review.steps), draft.steps.values())
        questions = Questions()
        steps = open_outline(folder)
        with closing(steps.index):
            walk = Walk(steps, words, questions, fold=self.fold, shows_check=shows_check)
            begins = 0
            if (new := first_new_event(folder, self.name)) is not None:
                begins = steps.with_event(new) or 0
                click.echo(f"{judged_words(new)}; g 0 shows it.", err=True)
            count, answers = len(steps), dict(draft.rubric)
            reading = _Reading(walk, words, questions, count, begins, draft, answers)

            def keep() -> None:
                if (said := reading.draft()).says_something:
                    drafts.save(item, sha256, said.model_dump(mode="json"))
                stay()

            questions.keep = keep
            return self._judge(reading)

    def _judge(self, reading: _Reading) -> tuple[Ending, Said]:
        verdict: Verdict | None = None
        note = ""
        ending: Ending = "later"
        try:
            verdict, note = self._ask(reading)
        except Skip:
            pass
        except (ReviewStopped, KeyboardInterrupt):  # a key does not lose a reviewer's remarks
            click.echo(err=True)
            ending = "left"
        draft = reading.draft().model_copy(update={"verdict": verdict, "note": note})
        if not draft.says_something:
            click.echo("Nothing was said, so nothing was kept.", err=True)
            return ending, {}
        said = draft.said(self._coverage(draft, reading), blind=False)
        return "sent" if verdict else ending, said

    def _coverage(self, draft: ReviewDraft, reading: _Reading) -> Coverage:
        found = draft.coverage(range(reading.begins, reading.steps), self.protocol.coverage_floor)
        return found if self.fold else found.model_copy(update={"folds": None})

    def _unanswered(self, answers: Collection[str]) -> ReviewQuestion | None:
        """Return the first question that a verdict wants answered and is not."""
        wanted = (one for one in self.questions if one.is_required and one.name not in answers)
        return next(wanted, None)

    def _ask(self, reading: _Reading) -> tuple[Verdict | None, str]:
        """Walk through the steps and ask, until a verdict is given.

        Raises `ReviewStopped`, `Skip`.
        """
        at, asks_again = max(reading.begins, reading.before.place), True
        questions, answers = reading.questions, reading.answers
        while True:
            reading.walk.go(at)
            for question in self.questions:
                _answer(questions, question, answers)
            judged = _ask_verdict(questions, reading.words.sent_back)
            while judged is not None and judged[0] and (wanted := self._unanswered(answers)):
                click.echo(f"The protocol wants an answer: {wanted.title}.", err=True)
                _answer(questions, wanted, answers)
            coverage = self._coverage(reading.draft(), reading)
            if judged is not None and judged[0] and coverage.is_below_floor and asks_again:
                click.echo(f"{coverage.words}: the same again sends it so.", err=True)
                asks_again = False
                judged = _ask_verdict(questions, reading.words.sent_back)
            if judged is not None:
                return judged
            at = reading.steps - 1


@dataclass(frozen=True, slots=True)
class _Reading:
    """A recording that is read, with what was said of it."""

    walk: Walk
    words: StepRemarks
    questions: Questions
    steps: int
    """How many the recording has."""
    begins: int
    """The first one that is new to the reviewer."""
    before: ReviewDraft
    """What was said before a pause."""
    answers: dict[str, RubricAnswer]

    def draft(self) -> ReviewDraft:
        """Return what was said so far."""
        said = {
            "rubric": dict(self.answers),
            "steps": {step.seq: step for step in self.words.reviews()},
            "seconds": self.before.seconds + self.questions.seconds,
            "opened": self.before.opened | self.walk.opened,
            "place": self.walk.shown,
        }
        return self.before.model_copy(update=said)


def _ask_verdict(questions: Questions, sent_back: str) -> tuple[Verdict | None, str] | None:
    """Ask for the verdict, and for the reason unless it is an approval.

    `sent_back`: the words with which a step was sent back, which Enter sends. `None` means back to
    the last step. Raises `ReviewStopped`, `Skip`.
    """
    entered = False
    enter = "sends it back" if sent_back else "none"
    keys = f"a approve · r reject · w needs work · Enter {enter} · b back · . later · q stop"
    while True:
        answer = questions.ask(f"{keys} › ").lower()
        match answer:
            case "" if sent_back:
                return "needs_work", sent_back
            case "" if entered:
                return None, ""
            case "":  # one Enter too many does not end the review
                entered = True
                click.echo("Enter again: no verdict.", err=True)
            case "b":
                return None
            case ".":
                raise Skip
            case "q":
                raise ReviewStopped
            case "a" | "r" | "w":
                verdict = _VERDICTS[answer]
                return verdict, _ask_note(questions, verdict)
            case _:
                click.echo("One of the keys a, r, w, b, ., q, or Enter alone.", err=True)


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
    questions: Questions, question: ReviewQuestion, answers: dict[str, RubricAnswer]
) -> None:
    """Ask for a question's answer and keep it; Enter alone keeps the earlier one."""
    before = answers.get(question.name)
    title = " · ".join(filter(None, (question.title, *question.choices, question.limits)))
    while said := questions.ask(
        f"{title} › " if before is None else f"{title} ({before.value}) › "
    ):
        if said in _KEYS and said not in question.choices:
            click.echo(f"This asks: {question.title}. The verdict is asked for after it.", err=True)
            continue
        try:
            answers[question.name] = question.answer(said)
        except AnswerUnusable as wanted:
            click.echo(f"This wants {wanted}.", err=True)
        else:
            return
