"""A screen of which every row is kept, to scroll over."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from sii_cli.render.screen import Painter, TailLine
from sii_cli.render.wrap import break_line

MAX_ROWS = 4000
"""Rows that are kept to scroll back to."""
_MOST_MARKS = 8
"""Characters without a width in one place that are kept: drawing them takes quadratic time."""


class RowScreen:
    """A screen of which every row is kept, as text with colours."""

    live = True

    def __init__(self, width: int) -> None:
        self.width = max(10, width - 1)
        self.rows: list[str] = []
        self.dropped = 0
        """Rows that are no longer kept."""
        self.growing: list[TailLine] = []
        self._painter = Painter(terminal=True)

    def print(self, *renderables: RenderableType) -> None:
        """Append rows, which replace the tail."""
        self.growing = []
        rows = self._painter.paint(renderables, self.width).split("\n")[:-1]
        self.rows += map(self._with_few_marks, rows)
        if len(self.rows) > 2 * MAX_ROWS:
            self.dropped += len(self.rows) - MAX_ROWS
            del self.rows[:-MAX_ROWS]

    def tail(self, lines: Sequence[TailLine]) -> None:
        """Show lines that still grow."""
        self.growing = [(dim, break_line(text, self.width)[0]) for dim, text in lines]

    def _with_few_marks(self, row: str) -> str:
        if len(row) <= 8 * self.width:
            return row
        from prompt_toolkit.utils import get_cwidth

        kept, marks = [], 0
        for character in row:
            marks = marks + 1 if get_cwidth(character) == 0 else 0
            if marks <= _MOST_MARKS:
                kept.append(character)
        return "".join(kept)
