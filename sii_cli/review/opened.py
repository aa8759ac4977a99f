"""An item that was read for its reviewer, with what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from recordings.storage.line_index import LineIndex
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import read_item
from sii_cli.review.keys import KEYS
from sii_cli.review.outline_rows import OutlineRows
from sii_cli.review.pane import ReviewPane
from sii_cli.review.reviewing import Reviewing
from sii_cli.review.task import ReviewTask


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """An item on the screen."""

    reviewing: Reviewing
    outline: OutlineRows
    pane: ReviewPane

    @classmethod
    def read(
        cls,
        task: ReviewTask,
        index: LineIndex,
        draft: ReviewDraft,
        save: Callable[[ReviewDraft], None],
        keys: str = KEYS,
    ) -> Self:
        """Read an item whose index is complete; `keys`: what the keys do, in words.

        Raises `RecordingDamaged`, `RecordingTooNew`.
        """
        item = read_item(task, index)
        return cls(Reviewing(item, draft, save), OutlineRows(item), ReviewPane(keys))
