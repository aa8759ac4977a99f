"""Reviewing in the terminal, one recording after another, on a full screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recordings.reviews.protocol import GUIDELINE, ReviewProtocol
from recordings.storage.log import recording_hash
from recordings.storage.opening import read_named
from sii_cli.config.home_key import review_keys
from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import outage_sentence, warn_when_void
from sii_cli.prompt.key_file import ReviewScreenKeys
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item
from sii_cli.review.app import ReviewApp
from sii_cli.review.queue import REVIEW, QueuedRecording, ReviewQueue
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.task import ReviewTask
from sii_cli.review.verdicts import author_warning, give_review, hash_to_review, tell_sent
from sii_cli.review.words import Ending

if TYPE_CHECKING:
    from recordings.reviews.review import Said
    from recordings.storage.line_index import LineIndex
    from sii_cli.review.opened import OpenedItem

_LARGEST_GUIDELINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ScreenReviewer:
    """Who reviews, and what is asked of every recording."""

    name: str
    questions: tuple[ReviewQuestion, ...]
    protocol: ReviewProtocol
    keys: ReviewScreenKeys

    def review(self, folder: Path, number: int = 1, of: int = 1) -> bool:
        """Review a recording and keep what was sent; return whether another may follow.

        Raises `SiiError`, `RecordingError`.
        """
        drafts = Drafts(find_key_home(os.environ), self.name)
        sha256 = recording_hash(folder)
        ending, said = self._run(self._task(folder, sha256, number, of), drafts, lambda: None)
        if ending == "sent":
            give_review(folder, self.name, sha256, **said)
            tell_sent(said)
            drafts.remove(_item(folder))
        return ending != "left"

    def review_next(self, queue: ReviewQueue, one: QueuedRecording, number: int, of: int) -> Ending:
        """Review what the queue gave, and keep what was sent.

        Raises `SiiError`, `RecordingError`.
        """
        task = replace(self._task(one.folder, one.sha256, number, of), before=queue.last_sent)
        ending, said = self._run(task, queue.drafts, partial(_stay, queue, one))
        if ending == "sent":
            queue.send(one, **said)
            tell_sent(said)
        return ending

    def _run(
        self, task: ReviewTask, drafts: Drafts, stay: Callable[[], None]
    ) -> tuple[Ending, Said]:
        """Return how it ended, and what was said."""
        item = _item(task.folder)
        warn_when_void(task.folder)
        app = ReviewApp(
            task,
            keys=self.keys,
            read=lambda index: self._read(task, drafts, index),
            check=lambda: _check(task.folder),
            stay=stay,
        )
        ending, draft = app.run(), app.draft
        if draft is None:
            return ending, {}
        if ending != "sent" and not draft.says_something:
            drafts.remove(item)
        elif ending != "sent":
            click.echo(f"Your draft on {task.folder.name} is kept: review it again.", err=True)
        return ending, draft.said(app.coverage, blind=app.task.blind)

    def _task(self, folder: Path, sha256: str, number: int, of: int) -> ReviewTask:
        """Return what is known of a task at once."""
        return ReviewTask(
            folder,
            sha256,
            number,
            of,
            questions=self.questions,
            flags=self.protocol.flags,
            guideline=_guideline(),
            coverage_floor=self.protocol.coverage_floor,
            own_keys=self.keys.summary,
            shows_check=self.protocol.shows_check_to(self.name, ()),
        )

    def _read(self, task: ReviewTask, drafts: Drafts, index: LineIndex) -> OpenedItem:
        """Read an item with what the reviewer said of it before. Raises `RecordingError`."""
        from sii_cli.review.draft import ReviewDraft, load_draft
        from sii_cli.review.opened import OpenedItem

        item = _item(task.folder)
        draft = load_draft(drafts, item, task.sha256) or ReviewDraft()

        def save(one: ReviewDraft) -> None:
            drafts.save(item, task.sha256, one.model_dump(mode="json"))

        return OpenedItem.read(self._complete(task), index, draft, save)

    def _complete(self, task: ReviewTask) -> ReviewTask:
        """Return a task with what follows from the reviews that there are."""
        from recordings.reviews.reviews import counted_reviews
        from sii_cli.review.new_part import first_new_event

        counted = counted_reviews(task.folder, review_keys(task.folder))
        own = [review for review in counted if review.reviewer == self.name]
        judged = {one.reviewer for one in counted if one.verdict and one.sha256 == task.sha256}
        sees = self.protocol.may_see(self.name, judged)
        return replace(
            task,
            read_notes=lambda: tuple(_notes(task.folder, self.name, sees=sees)),
            earlier=tuple(step for review in own for step in review.steps),
            shows_check=self.protocol.shows_check_to(self.name, judged),
            blind=self.protocol.blind and not sees,
            new_from=first_new_event(task.folder, self.name),
        )


def _item(folder: Path) -> Item:
    return Item(REVIEW, folder.name)


def _stay(queue: ReviewQueue, one: QueuedRecording) -> None:
    queue.heartbeat(one)


def _check(folder: Path) -> None:
    hash_to_review(folder)


def _notes(folder: Path, reviewer: str, *, sees: bool) -> Iterator[str]:
    """Yield warnings and, to one who sees it, what others said, in a line each."""
    from recordings.conversation.outages import outages_of
    from sii_cli.options.endings import said_lines

    if (why := author_warning(folder, reviewer)) is not None:
        yield why
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
