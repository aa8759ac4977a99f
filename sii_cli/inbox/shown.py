"""A session that is on the screen: read in a thread, and drawn as a review draws it.

What draws it whole is imported in the thread, too: the first frame does not wait for it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples

from recordings.storage.line_index import LineIndex
from recordings.storage.log import recording_hash
from recordings.store.summary import RecordingSummary, summarise
from sii_cli.inbox.keys import KEYS
from sii_cli.inbox.waiting import WaitingSession
from sii_cli.review.glimpse import glimpse
from sii_cli.review.task import ReviewTask

if TYPE_CHECKING:
    from sii_cli.review.outline_rows import OutlineRows
    from sii_cli.review.pane import ReviewPane
    from sii_cli.review.reviewing import Reviewing

OUTLINE = 30
"""Columns of the outline."""
NARROW = 72
"""Columns below which the outline is shown instead of the session, not beside it."""


@dataclass(slots=True)
class ShownSession:
    """One session on the screen (`bars.Shown`)."""

    waiting: WaitingSession
    task: ReviewTask
    summary: RecordingSummary
    index: LineIndex
    pane: ReviewPane | None = None
    reviewing: Reviewing | None = None
    """The session, once it was read."""
    outline: OutlineRows | None = None
    is_seen: bool = False
    """Whether it was drawn: before, no key acts on it."""
    outline_instead: bool = False

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
        from sii_cli.review.item import read_item
        from sii_cli.review.outline_rows import OutlineRows
        from sii_cli.review.pane import ReviewPane
        from sii_cli.review.reviewing import Reviewing

        while not self.index.complete:
            self.index.extend()
        item = read_item(self.task, self.index)
        self.outline, self.pane = OutlineRows(item), ReviewPane(KEYS)
        self.reviewing = Reviewing(item, ReviewDraft(), lambda draft: None)

    def close(self) -> None:
        """Close its files."""
        with closing(self.index):
            pass

    def rows(self, columns: int, height: int) -> ANSI | StyleAndTextTuples:
        """Return what stands beside the outline, or instead of it."""
        width = columns - OUTLINE - 1 if columns >= NARROW else columns
        if self.reviewing is None or self.outline is None or self.pane is None:
            return glimpse(self.task, self.summary, width)
        if self.outline_instead and columns < NARROW:
            return self.outline_rows(columns, height)
        return ANSI("\n".join(self.pane.rows(self.reviewing, width, height)))

    def outline_rows(self, columns: int, height: int) -> StyleAndTextTuples:
        """Return the outline."""
        one = self.reviewing
        if one is None or self.outline is None:
            return []
        return self.outline.fragments(one.at, one.draft, height, min(OUTLINE, columns))
