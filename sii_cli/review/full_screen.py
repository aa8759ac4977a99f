"""Reviewing in the terminal, one recording after another, on a full screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from recordings.conversation.outages import outages_of
from recordings.errors import RecordingDamaged, RecordingNotFound, RecordingTooNew
from recordings.index.find import Filter
from recordings.reviews.protocol import GUIDELINE, ReviewProtocol
from recordings.reviews.review import FLAGS
from recordings.reviews.reviews import counted_reviews
from recordings.storage.log import recording_hash
from recordings.storage.opening import read_named
from sii_cli.config.home_key import review_keys
from sii_cli.config.settings import find_key_home
from sii_cli.errors import SiiError
from sii_cli.options.endings import said_lines
from sii_cli.options.recordings import outage_sentence, warn, warn_when_void
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item
from sii_cli.review.app import Ending, ReviewApp
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import ReviewTask
from sii_cli.review.new_part import first_new_event
from sii_cli.review.queue import REVIEW, QueuedRecording, ReviewQueue
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.verdicts import author_warning, give_review, hash_to_review

_LARGEST_GUIDELINE = 1 << 20
_UNJUDGEABLE = (SiiError, RecordingDamaged, RecordingNotFound, RecordingTooNew)


@dataclass(frozen=True, slots=True)
class ScreenReviewer:
    """Who reviews, and what is asked of every recording."""

    name: str
    questions: tuple[ReviewQuestion, ...]
    protocol: ReviewProtocol

    def review(self, folder: Path, number: int = 1, of: int = 1) -> bool:
        """Review a recording and keep what was sent; return whether another may follow.

        Raises `SiiError`, `RecordingError`.
        """
        drafts = Drafts(find_key_home(os.environ), self.name)
        task = self._task(folder, recording_hash(folder), number, of)
        ending, draft, entries = self._run(task, drafts, lambda: None)
        if ending == "sent":
            said = draft.said(entries, blind=task.blind)
            give_review(folder, self.name, task.sha256, **said)
            drafts.remove(_item(folder))
        return ending != "left"

    def review_queue(self, where: Filter) -> None:
        """Review what waits for the reviewer, until they leave or nothing waits.

        Raises `SiiError`, `RecordingError`.
        """
        deferred: set[Path] = set()
        number = 0
        with ReviewQueue(self.name, self.protocol, where) as queue:
            while (one := queue.next()) is not None and one.folder not in deferred:
                number += 1
                try:
                    ending = self._review_next(queue, one, number)
                except _UNJUDGEABLE as error:
                    warn(str(error))
                    ending = "later"
                if ending == "left":
                    queue.release(one)
                    return
                if ending == "later":
                    queue.skip(one)
                    deferred.add(one.folder)
            if one is not None:
                queue.release(one)
        left = "only what you left for later" if deferred else "nothing"
        click.echo(f"{left.capitalize()} waits for you now (--again: also judged ones).", err=True)

    def _review_next(self, queue: ReviewQueue, one: QueuedRecording, number: int) -> Ending:
        task = self._task(one.folder, one.sha256, number, number - 1 + one.left)
        ending, draft, entries = self._run(task, queue.drafts, partial(_stay, queue, one))
        if ending == "sent":
            queue.send(one, **draft.said(entries, blind=task.blind))
        return ending

    def _run(
        self, task: ReviewTask, drafts: Drafts, stay: Callable[[], None]
    ) -> tuple[Ending, ReviewDraft, int]:
        """Return how it ended, the draft, and how many entries the recording has."""
        item, sha256 = _item(task.folder), task.sha256
        warn_when_void(task.folder)
        kept = drafts.load(item, sha256)
        draft = ReviewDraft() if kept is None else ReviewDraft.model_validate(kept)
        app = ReviewApp(
            task,
            draft,
            save=lambda one: drafts.save(item, sha256, one.model_dump(mode="json")),
            check=lambda: _check(task.folder),
            stay=stay,
        )
        ending = app.run()
        if ending != "sent" and not app.draft.says_something:
            drafts.remove(item)
        elif ending != "sent":
            click.echo(f"Your draft on {task.folder.name} is kept: review it again.", err=True)
        return ending, app.draft, app.entries

    def _task(self, folder: Path, sha256: str, number: int, of: int) -> ReviewTask:
        counted = counted_reviews(folder, review_keys(folder))
        own = [review for review in counted if review.reviewer == self.name]
        judged = {one.reviewer for one in counted if one.verdict and one.sha256 == sha256}
        sees = self.protocol.may_see(self.name, judged)
        return ReviewTask(
            folder,
            sha256,
            number,
            of,
            questions=self.questions,
            flags=self.protocol.flags or FLAGS,
            guideline=_guideline(),
            read_notes=lambda: tuple(_notes(folder, self.name, sees=sees)),
            earlier=tuple(step for review in own for step in review.steps),
            shows_check=self.protocol.show_check or self.name in judged,
            blind=self.protocol.blind and not sees,
        )


def _item(folder: Path) -> Item:
    return Item(REVIEW, folder.name)


def _stay(queue: ReviewQueue, one: QueuedRecording) -> None:
    queue.heartbeat(one)


def _check(folder: Path) -> None:
    hash_to_review(folder)


def _notes(folder: Path, reviewer: str, *, sees: bool) -> Iterator[str]:
    """Yield warnings and, to one who sees it, what others said, in a line each."""
    if (why := author_warning(folder, reviewer)) is not None:
        yield why
    if (new := first_new_event(folder, reviewer)) is not None:
        yield f"You have judged this, or what it was forked from, up to event {new - 1}."
    if outages := outages_of(folder):
        yield outage_sentence(outages)
    if sees:
        yield from (line for line in said_lines(folder) if not line.startswith("rubric: "))


def _guideline() -> str:
    """Return the guideline, or an empty text; `hash_to_review` reports one that is unusable."""
    try:
        path = find_key_home(os.environ) / GUIDELINE
        return read_named(path, _LARGEST_GUIDELINE).decode("utf-8", "replace")
    except OSError:
        return ""
