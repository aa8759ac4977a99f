"""What stands beside the outline: the rows of a page that are shown, and how far it is scrolled."""

from __future__ import annotations

from sandbox.snapshots import FileDiff, SnapshotError
from sii_cli.errors import SiiError
from sii_cli.review.keys import KEYS
from sii_cli.review.pages import (
    ReviewPage,
    diff_page,
    entry_page,
    first_page,
    markdown_page,
    text_page,
)
from sii_cli.review.reviewing import Reviewing
from sii_cli.review.words import FIRST
from sii_cli.workspace.diffs import diffs_between

_ABOVE_EVENT = 4
"""Rows that are shown above the event that a key jumped to."""


class ReviewPane:
    """The rows that are shown."""

    def __init__(self, keys: str = KEYS) -> None:
        """`keys`: what the keys do, in words."""
        self._keys = keys
        self._page = ReviewPage(80)
        self._place: object = None
        """What the page shows."""
        self._drawn_for: object = None
        """The same, with what else the page was drawn from."""
        self._top = 0
        self._diffs: dict[tuple[str, str], tuple[FileDiff, ...] | str] = {}

    @property
    def foldable(self) -> list[int]:
        """Events of which something is folded, or was and is open."""
        return self._page.foldable

    def rows(self, reviewing: Reviewing, width: int, height: int) -> list[str]:
        """Return the rows, as text with colours; a page is drawn again where something changed."""
        draft = reviewing.draft
        place = (reviewing.view, reviewing.at, reviewing.seq, reviewing.shows_whole)
        notes = reviewing.item.notes
        shown = (draft.folds, draft.steps, reviewing.first_is_open, notes, len(self._diffs))
        if (place, width, shown) != self._drawn_for:
            self._page = self._draw(reviewing, width)
            if place != self._place:
                row = None if reviewing.seq is None else self._page.rows_of.get(reviewing.seq)
                self._top = max(0, (row or 0) - _ABOVE_EVENT)
            self._top = max(0, min(self._top, len(self._page.rows) - 1))
            self._drawn_for, self._place = (place, width, shown), place
        return self._page.rows[self._top : self._top + height]

    def scroll(self, reviewing: Reviewing, height: int, rows: int, pages: float) -> None:
        """Scroll; a page beyond the end is the next entry."""
        last = max(0, len(self._page.rows) - height)
        if pages and reviewing.view == "entry" and self._top == (last if pages > 0 else 0):
            reviewing.move(1 if pages > 0 else -1)
            return
        rows += int(pages * max(1, height - 2))
        self._top = max(0, min(last, self._top + rows))

    async def read_diff(self, reviewing: Reviewing) -> None:
        """Read the diff that is shown, unless it was read."""
        trees = _trees(reviewing)
        if reviewing.view not in ("diff", "step diff") or trees is None or trees in self._diffs:
            return
        try:
            self._diffs[trees] = await diffs_between(reviewing.item.task.folder, *trees)
        except (SiiError, SnapshotError) as error:
            self._diffs[trees] = str(error)

    def _draw(self, reviewing: Reviewing, width: int) -> ReviewPage:
        item = reviewing.item
        match reviewing.view:
            case "keys":
                own = item.task.own_keys
                shown = f"{self._keys}\n\nYour own keys: {own}" if own else self._keys
                return text_page(shown, width)
            case "guideline":
                text = item.task.guideline or "There is no guideline.md beside review.toml."
                return markdown_page(text, width)
            case "diff" | "step diff":
                return self._draw_diff(reviewing, width)
            case _ if reviewing.at == FIRST:
                return first_page(item, width, opened=reviewing.first_is_open)
            case _:
                return entry_page(item, reviewing.at, reviewing.draft, width)

    def _draw_diff(self, reviewing: Reviewing, width: int) -> ReviewPage:
        trees, is_whole = _trees(reviewing), reviewing.view == "diff"
        if trees is None:
            why = "The recording names no snapshot of its workspace." if is_whole else ""
            return text_page(why or "This step changed no file of the workspace.", width)
        found = self._diffs.get(trees, "Reading the snapshots …")
        if isinstance(found, str):
            return text_page(found, width)
        title = "the whole diff (d goes back)" if is_whole else "diff of this step (D goes back)"
        if is_whole and reviewing.begins:
            title = "the diff of what is new (d goes back, N shows the whole)"
        return diff_page(found, title, width)


def _trees(reviewing: Reviewing) -> tuple[str, str] | None:
    outline = reviewing.item.outline
    if reviewing.view == "diff":
        return outline.trees if reviewing.shows_whole else reviewing.item.new_trees
    return None if reviewing.at == FIRST else outline.trees_of(reviewing.at)
