"""Reviews what waits for a reviewer, one recording after another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from recordings.errors import RecordingDamaged, RecordingNotFound, RecordingTooNew
from recordings.reviews.protocol import ReviewProtocol
from sii_cli.errors import SiiError
from sii_cli.options.recordings import warn
from sii_cli.review.queue import QueuedRecording, ReviewQueue
from sii_cli.review.words import Ending

if TYPE_CHECKING:
    from recordings.index.find import Filter

UNJUDGEABLE = (SiiError, RecordingDamaged, RecordingNotFound, RecordingTooNew)
"""What a recording raises that cannot be judged."""


class QueueReviewer(Protocol):
    """Reviews what a queue gives."""

    @property
    def name(self) -> str:
        """The pseudonym."""
        ...

    @property
    def protocol(self) -> ReviewProtocol:
        """Who reviews what and how."""
        ...

    def review_next(self, queue: ReviewQueue, one: QueuedRecording, number: int, of: int) -> Ending:
        """Review the recording `number` of so many, and keep what was said."""
        ...


def review_queue(reviewer: QueueReviewer, where: Filter) -> None:
    """Review what waits for the reviewer, until they leave or nothing waits.

    Raises `SiiError`, `RecordingError`.
    """
    deferred: set[Path] = set()
    number = 0
    with ReviewQueue(reviewer.name, reviewer.protocol, where) as queue:
        while (one := queue.next()) is not None and one.folder not in deferred:
            number += 1
            try:
                of = number - 1 - len(deferred) + one.left
                ending = reviewer.review_next(queue, one, number, of)
            except UNJUDGEABLE as error:
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
