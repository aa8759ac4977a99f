"""A session that is on the screen: read in a thread, and drawn as a review draws it.

What draws it whole is imported in the thread, too: the first frame does not wait for it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples

from recordings.errors import RecordingError
from recordings.storage.line_index import LineIndex
from recordings.storage.log import recording_hash
from recordings.store.summary import RecordingSummary, summarise
from sii_cli.inbox.keys import KEYS
from sii_cli.inbox.waiting import WaitingSession
from sii_cli.review.glimpse import glimpse
from sii_cli.review.task import ReviewTask
from sii_cli.review.words import NARROW, OUTLINE
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.review.opened import OpenedItem
    from sii_cli.review.reviewing import Reviewing


@dataclass(slots=True)
class ShownSession:
    """One session on the screen (`bars.Shown`)."""

    waiting: WaitingSession
    task: ReviewTask
    summary: RecordingSummary
    index: LineIndex
    opened: OpenedItem | None = None
    """The session, once it was read."""
    is_seen: bool = False
    """Whether it was drawn: before, no key acts on it."""
    outline_instead: bool = False

    @property
    def reviewing(self) -> Reviewing | None:
        """What keys act on, once it was read (`bars.Shown`)."""
        return None if self.opened is None else self.opened.reviewing

    @classmethod
    def begin(
        cls, waiting: WaitingSession, number: int, of: int, *, shows_check: bool
    ) -> ShownSession:
        """Read both ends of a session. Blocks. Raises `RecordingError`."""
        folder = waiting.folder
        sha256 = recording_hash(folder)
        task = ReviewTask(folder, sha256, number, of, shows_check=shows_check)
        return cls(waiting, task, summarise(folder), LineIndex(folder))

    def read(self) -> None:
        """Read it all. Blocks. Raises `RecordingDamaged`, `RecordingTooNew`."""
        from sii_cli.review.draft import ReviewDraft
        from sii_cli.review.opened import OpenedItem

        while not self.index.complete:
            self.index.extend()
        nothing = ReviewDraft()
        self.opened = OpenedItem.read(self.task, self.index, nothing, lambda draft: None, KEYS)

    def close(self) -> None:
        """Close its files."""
        self.index.close()

    def rows(self, columns: int, height: int) -> ANSI | StyleAndTextTuples:
        """Return what stands beside the outline, or instead of it."""
        width = columns - OUTLINE - 1 if columns >= NARROW else columns
        if (one := self.opened) is None:
            return glimpse(self.task, self.summary, width)
        if self.outline_instead and columns < NARROW:
            return self.outline_rows(columns, height)
        try:
            return ANSI("\n".join(one.pane.rows(one.reviewing, width, height)))
        except RecordingError as error:  # only both ends of it were checked
            return [("fg:ansiyellow", one_line(str(error), 1000))]

    def outline_rows(self, columns: int, height: int) -> StyleAndTextTuples:
        """Return the outline."""
        if (one := self.opened) is None:
            return []
        at, draft, width = one.reviewing.at, one.reviewing.draft, min(OUTLINE, columns)
        with suppress(RecordingError):
            return one.outline.fragments(at, draft, height, width)
        return []
