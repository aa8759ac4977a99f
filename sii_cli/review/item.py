"""An item that a reviewer is given: a recording, its outline and its first screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from recordings.events import Event
from recordings.replay.first_screen import (
    ChangedFile,
    FirstScreen,
    changed_files,
    read_first_screen,
)
from recordings.replay.outline import Outline
from recordings.reviews.blind import OF_CHECK
from recordings.reviews.review import StepReview
from recordings.storage.line_index import LineIndex
from sii_cli.review.task import ReviewTask


@dataclass(slots=True)
class ReviewItem:
    """A recording that was read for a reviewer."""

    task: ReviewTask
    outline: Outline
    first: FirstScreen
    earlier: dict[int, list[StepReview]] = field(default_factory=dict)
    """What the reviewer said before, by event."""
    notes: Sequence[str] = ()
    """What `task.read_notes` returned, once it was called: it may read the whole recording."""

    @property
    def begins(self) -> int:
        """The first entry that is new to the reviewer; 0 where all is."""
        new = self.task.new_from
        return 0 if new is None else self.outline.with_event(new) or 0

    @property
    def new_trees(self) -> tuple[str, str] | None:
        """The trees before and after what is new, or `None` without snapshots."""
        return self.outline.trees_since(self.task.new_from or 0)

    @property
    def files(self) -> Sequence[ChangedFile]:
        """The files that what is new changed."""
        return tuple(changed_files(self.outline, self.begins)) if self.begins else self.first.files

    def events(self, number: int) -> Iterator[Event]:
        """Yield the events of an entry that the reviewer may see."""
        entry = self.outline[number]
        found = self.outline.index.events(entry.events.start, entry.events.stop)
        return (event for event in found if self.task.shows_check or not is_of_check(event))

    def shows(self, seq: int) -> bool:
        """Return whether the reviewer may see an event."""
        return self.task.shows_check or not is_of_check(self.outline.index.event(seq))

    def excluded_before(self, seq: int) -> bool:
        """Return whether the reviewer has excluded an event in an earlier review."""
        words = [one.exclude for one in self.earlier.get(seq, []) if one.exclude is not None]
        return bool(words and words[-1])


def read_item(task: ReviewTask, index: LineIndex) -> ReviewItem:
    """Read a recording whose index is complete. Raises `RecordingDamaged`, `RecordingTooNew`."""
    outline = Outline(index)
    first = read_first_screen(task.folder, outline)
    earlier: dict[int, list[StepReview]] = {}
    for step in task.earlier:
        earlier.setdefault(step.seq, []).append(step)
    shown = first if task.shows_check else first.without_check()
    return ReviewItem(task, outline, shown, earlier)


def is_of_check(event: Event) -> bool:
    """Return whether an event says what the check found."""
    return event.data.type in OF_CHECK
