"""The screen of the prompt: the terminal above the input line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from sii_cli.prompt.view import View
from sii_cli.render.screen import Painter, TailLine
from sii_cli.render.wrap import break_line


class PromptScreen:
    """The terminal above the input line."""

    live = True

    def __init__(self, view: View) -> None:
        self._view = view
        self._painter = Painter(terminal=True)

    @property
    def width(self) -> int:
        """Columns, one less than there are: a full line wraps differently everywhere."""
        return max(10, self._view.size.columns - 1)

    def print(self, *renderables: RenderableType) -> None:
        """Append lines; this removes the tail."""
        self._view.tail = ()
        self._view.above(self._painter.paint(renderables, self.width))

    def tail(self, lines: Sequence[TailLine]) -> None:
        """Show what is still growing."""
        width = self.width
        self._view.tail = [(dim, break_line(text, width)[0]) for dim, text in lines]
        self._view.refresh()
