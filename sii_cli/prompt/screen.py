"""The screen of the prompt: the terminal above the input line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sii_cli.prompt.view import View
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.screen import Painter, TailLine
from sii_cli.render.wrap import break_line
from sii_cli.text.sanitise import sanitise


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


class ScreenRenderer(EventRenderer):
    """Draws sessions, and what sii says of them, above the line."""

    def __init__(self, view: View, *, fold_thoughts: bool) -> None:
        super().__init__(PromptScreen(view), fold_thoughts=fold_thoughts)

    def say(self, lines: Sequence[str], style: str) -> None:
        """Print lines of sii, after an empty one."""
        if lines:
            self._screen.print(Text(""), *(Text(sanitise(line), style) for line in lines))

    def say_rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print rows of a name and a text; a long text is broken below itself."""
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column()
        for row in rows:
            table.add_row(*(Text(sanitise(cell), "dim") for cell in row))
        self._screen.print(Text(""), table)
