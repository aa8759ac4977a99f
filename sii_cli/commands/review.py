"""`sii review`: step through recordings in the terminal, say what is to be said, and judge them."""

from __future__ import annotations

import math
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recordings.storage.opening import read_given
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.endings import ended_lines
from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import (
    REFS_HELP,
    find_all,
    open_collections,
    warn,
    warn_of_outages,
    warn_when_void,
)
from sii_cli.options.settings import example
from sii_cli.review.remarks import HELP, Questions, ReviewStopped, Skip, StepRemarks
from sii_cli.review.verdicts import (
    find_reviewer,
    give_review,
    hash_to_review,
    speaker_option,
    warn_of_author,
)

if TYPE_CHECKING:
    from recordings.reviews.approval import Verdict
    from recordings.reviews.review import RubricAnswer
    from sii_cli.review.steps import Walk

_LARGEST_RUBRIC = 1 << 20
"""Bytes."""
_VERDICTS: dict[str, Verdict] = {"a": "approve", "r": "reject", "n": "needs_work"}


@click.command(
    "review",
    help="Step through recordings, comment, flag or exclude their steps, and at the end approve "
    "or reject each, or say that it needs work; then the next one follows. "
    f"{REFS_HELP} Without one: all that you have not judged as they are now, the oldest first; "
    f"the options of `sii list` choose among them.\n\n\b\n{HELP}",
    epilog=example(
        "sii review",
        "sii review --tag to-review --since 7d",
        "sii review last --rubric rubric.txt",
    ),
)
@click.argument("refs", metavar="[ID]...", nargs=-1)
@click.option("--full", is_flag=True, help="Everything that calls returned, not folded.")
@click.option(
    "--rubric",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Ask these at the end: one criterion a line.",
)
@speaker_option
@click.option("--again", is_flag=True, help="Also those that you have judged.")
@filter_options
def command(
    refs: tuple[str, ...],
    full: bool,
    rubric: Path | None,
    speaker: str | None,
    again: bool,
    **options: Any,
) -> None:
    """Review recordings."""
    if refs and (again or any(value not in (None, ()) for value in options.values())):
        raise UsageError("Name recordings, or choose them by options, not both.")
    folders = find_all(refs, everything=False) if refs else None
    reviewer = _Reviewer(find_reviewer(speaker), _read_criteria(rubric), fold=not full)
    if folders is None:
        _review_all(_choose(options, reviewer.name, again=again), reviewer)
    elif len(folders) == 1:
        reviewer.review(folders[0])
    else:
        _review_all(folders, reviewer)


def _choose(options: dict[str, Any], reviewer: str, *, again: bool) -> list[Path]:
    """Return the folders of the recordings that a person may review, the oldest first."""
    from recordings.index.find import find_in
    from recordings.reviews.protocol import DEFAULT_PROTOCOL

    unjudged_by = None if again else reviewer
    where = replace(make_filter(options), judge=reviewer, unjudged_by=unjudged_by)
    collections = open_collections()
    if not any(one.has_recordings() for one in collections):
        root = collections[0].own.root
        click.echo(f"There are no recordings in {root} yet: run `sii` first.", err=True)
        return []
    with open_indexes() as indexes:
        protocol = load_protocol() if where.approval else DEFAULT_PROTOCOL
        found = find_in(indexes, where, ascending=True, protocol=protocol)
    if not found:
        which = "may judge" if again else "has not judged and may judge"
        hint = "" if again else " (--again: also judged ones)"
        click.echo(
            f"Nothing is left to review: no recording matches that {reviewer} {which}{hint}.",
            err=True,
        )
    return [one.summary.folder for one in found]


def _review_all(folders: list[Path], reviewer: _Reviewer) -> None:
    """Review one recording after another; those that cannot be judged are reported and skipped."""
    from recordings.errors import RecordingDamaged, RecordingNotFound, RecordingTooNew

    for number, folder in enumerate(folders, 1):
        click.echo(f"{number} of {len(folders)}: {folder.name}", err=True)
        try:
            if not reviewer.review(folder):
                return
        except (SiiError, RecordingDamaged, RecordingNotFound, RecordingTooNew) as error:
            warn(str(error))
    if folders:
        click.echo(f"That was the last of {len(folders)}.", err=True)


@dataclass(frozen=True, slots=True)
class _Reviewer:
    """Who reviews, and how."""

    name: str
    criteria: list[str]
    """Of the rubric."""
    fold: bool

    def review(self, folder: Path) -> bool:
        """Review a recording and keep what was said; return whether another may follow.

        Raises `SiiError`, `RecordingError`.
        """
        from recordings.reviews.review import Coverage
        from recordings.reviews.reviews import counted_reviews
        from sii_cli.config.home_key import review_keys
        from sii_cli.review.steps import Walk, open_outline

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
            for name in self.criteria:
                answer = _answer(questions, name, answers.get(name))
                if answer is not None:
                    answers[name] = answer
            judged = _ask_verdict(questions)
            if judged is not None:
                return judged
            at = steps - 1


def _ask_verdict(questions: Questions) -> tuple[Verdict | None, str] | None:
    """Ask for the verdict, and for the reason unless it is an approval.

    None: back to the last step. Raises `ReviewStopped`, `Skip`.
    """
    keys = "a approve · r reject · n needs work · Enter none · b back · s skip · q stop"
    while True:
        answer = questions.ask(f"{keys} › ").lower()
        match answer:
            case "":
                return None, ""
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


def _read_criteria(rubric: Path | None) -> list[str]:
    """Return the criteria of a rubric, each of which a review can hold. Raises `UsageError`."""
    from recordings.reviews.review import LONGEST_NAME, MOST_ANSWERS

    try:
        lines = read_given(rubric, _LARGEST_RUBRIC).decode().splitlines() if rubric else []
    except UnicodeDecodeError:
        raise UsageError(f"{rubric} is not a text.") from None
    criteria = []
    for number, line in enumerate(lines, 1):
        criterion = "" if line.startswith("#") else line.strip()
        if len(criterion) > LONGEST_NAME:
            raise UsageError(f"{rubric}:{number}: use at most {LONGEST_NAME} characters.")
        criteria += [criterion] if criterion else []
    if len(criteria) > MOST_ANSWERS:
        raise UsageError(f"{rubric} has more than {MOST_ANSWERS} criteria: use fewer.")
    return criteria


def _answer(questions: Questions, name: str, before: RubricAnswer | None) -> RubricAnswer | None:
    """Ask for a criterion's answer; `None` means the earlier one is kept."""
    from recordings.reviews.review import RubricAnswer

    said = questions.ask(f"{name} › " if before is None else f"{name} ({before.value}) › ")
    if not said:
        return None
    try:
        number = float(said)
    except ValueError:
        return RubricAnswer(kind="text", value=said)
    if math.isfinite(number):
        return RubricAnswer(kind="scale", value=number)
    return RubricAnswer(kind="text", value=said)
