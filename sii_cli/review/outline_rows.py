"""The outline beside the steps: a row an entry, and the signs of what is in it."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.formatted_text import StyleAndTextTuples

from recordings.replay.outline import OutlineEntry
from sii_cli.render.outline import entry_label
from sii_cli.render.wrap import cut
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import ReviewItem
from sii_cli.review.words import FIRST

_STYLES = {"✖": "fg:ansired", "±": "fg:ansigreen", "▶": "bold fg:ansicyan"}


class OutlineRows:
    """Draws the entries around the one that is shown; a label is read once."""

    def __init__(self, item: ReviewItem) -> None:
        self._item = item
        self._labels: dict[int, tuple[OutlineEntry, str]] = {}

    def fragments(
        self, at: int, draft: ReviewDraft, height: int, width: int, begins: int = 0
    ) -> StyleAndTextTuples:
        """Return so many rows, with the entry that is shown among them.

        Entries before `begins` are left out.
        """
        count = len(self._item.outline)
        first = max(begins + FIRST, min(at - height // 2, count - height))
        rows: StyleAndTextTuples = []
        for number in range(first, min(first + height, count)):
            number = FIRST if number < begins else number
            style, text = self._row(number, draft)
            here = "reverse " if number == at else ""
            line = cut(text, width)
            rows.append((here + style, f"{line:<{width}}" if here else line))
            rows.append(("", "\n"))
        return rows

    def _row(self, number: int, draft: ReviewDraft) -> tuple[str, str]:
        if number == FIRST:
            return "bold", " first screen"
        entry, label = self._entry(number)
        sign = "✖" if entry.failed else "±" if entry.edits else " "
        if entry.kind == "message":
            return _STYLES["▶"], f" ▶ round {entry.round} · {label}"
        said = _said(entry, draft)
        step = f"{entry.step:>3}" if entry.step else "   "
        hidden = entry.kind == "check" and not self._item.task.shows_check
        text = f"{step} {' ' if hidden else sign}{said} {'check' if hidden else label}"
        unseen = "" if number in draft.opened else "bold "
        return unseen + ("" if hidden else _STYLES.get(sign, "")), text

    def _entry(self, number: int) -> tuple[OutlineEntry, str]:
        if number not in self._labels:
            outline = self._item.outline
            self._labels[number] = outline[number], entry_label(outline, number)
        return self._labels[number]


def _said(entry: OutlineEntry, draft: ReviewDraft) -> str:
    """Return a sign of what the reviewer said of an entry."""
    said = [draft.steps[seq] for seq in draft.steps if seq in entry.events]
    signs: list[tuple[str, Callable[[], bool]]] = [
        ("⊘", lambda: any(one.exclude for one in said)),
        ("☆", lambda: any("star" in one.flags or one.mark == "good" for one in said)),
        ("!", lambda: any(one.flags or one.mark == "bad" for one in said)),
        ("◆", lambda: bool(said)),
    ]
    return next((sign for sign, holds in signs if holds()), " ")
