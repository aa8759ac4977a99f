"""Screens: where rendered lines go. Lines are only appended; on a terminal a small tail below them
shows what is still growing, and is drawn again in place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.theme import Theme

from sii_cli.render.terminal import BEGIN_UPDATE, END_UPDATE, reflows, rows_of
from sii_cli.render.wrap import break_line
from sii_cli.text.sanitise import sanitise

TailLine = tuple[bool, str]
"""(dim, text): a line of the tail, plain and sanitised."""

MAX_TAIL = 12
"""Lines of a tail."""
PLAIN_WIDTH = 100
"""Columns for tables and the like where there is no terminal."""
PAPER = 10_000
"""Columns of a line where there is no terminal."""

COLOURS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}


THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})
"""Nothing with a background: it has to be readable on a dark and on a light terminal."""


class Screen(Protocol):
    """What the renderer draws on."""

    @property
    def live(self) -> bool:
        """A terminal: there is a tail, colours, and a width."""
        ...

    @property
    def width(self) -> int:
        """Columns."""
        ...

    def print(self, *renderables: RenderableType) -> None:
        """Append lines."""
        ...

    def tail(self, lines: Sequence[TailLine]) -> None:
        """Show these lines below everything, instead of those before."""
        ...


class Painter:
    """Turns rich renderables into text with colours, and lets nothing else through."""

    def __init__(self, *, terminal: bool) -> None:
        self._console = Console(
            force_terminal=terminal,
            no_color=None if terminal else True,
            width=PLAIN_WIDTH,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            theme=THEME,
        )
        self._colours = COLOURS.get(self._console.color_system or "") if terminal else None

    def paint(self, renderables: Sequence[RenderableType], width: int) -> str:
        """Return the lines, each with its newline and without blanks at its end."""
        options = self._console.options.update(width=width, highlight=False)
        lines = (
            line
            for renderable in renderables
            for line in self._console.render_lines(renderable, options, pad=False)
        )
        return "".join("".join(map(self._segment, _strip(line))) + "\n" for line in lines)

    def _segment(self, segment: Segment) -> str:
        if segment.control:
            return ""
        text = sanitise(segment.text)
        if segment.style is None or self._colours is None:
            return text
        style = segment.style.without_color if self._console.no_color else segment.style
        return style.render(text, color_system=self._colours)


def _strip(line: list[Segment]) -> list[Segment]:
    """Drop the blanks at the end of a line, so that a narrower window does not break it."""
    line = list(line)
    while line and not line[-1].text.strip() and not (line[-1].style and line[-1].style.bgcolor):
        line.pop()
    if line and not (line[-1].style and line[-1].style.bgcolor):
        line[-1] = Segment(line[-1].text.rstrip(), line[-1].style, line[-1].control)
    return line


class PlainScreen:
    """A file or a pipe: lines as they are, without colours and without a tail."""

    live = False
    width = PLAIN_WIDTH

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._painter = Painter(terminal=False)

    def print(self, *renderables: RenderableType) -> None:
        """Append lines, as long as they are."""
        self._stream.write(self._painter.paint(renderables, PAPER))
        self._stream.flush()

    def tail(self, lines: Sequence[TailLine]) -> None:
        """Nothing is drawn again in a file."""


class TerminalScreen:
    """A terminal without an input line; the tail is drawn by moving up and clearing."""

    live = True

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._painter = Painter(terminal=True)
        self._lines: Sequence[TailLine] = ()
        self._foot = ""
        self._drawn: list[str] = []
        self._reflows = reflows(os.environ)

    @property
    def width(self) -> int:
        """Columns, one less than there are: a full line wraps differently everywhere."""
        return max(10, self._size().columns - 1)

    def print(self, *renderables: RenderableType) -> None:
        """Append lines above the tail, which this removes; the foot stays."""
        text = self._painter.paint(renderables, self.width)
        self._lines = ()
        self._write(self._clear() + text + self._draw())

    def tail(self, lines: Sequence[TailLine]) -> None:
        """Draw the tail."""
        if lines or self._lines:
            self._lines = lines
            self._write(self._clear() + self._draw())

    def foot(self, text: str) -> None:
        """Draw one line below the tail; an empty one takes it away."""
        if text != self._foot:
            self._foot = text
            self._write(self._clear() + self._draw())

    def _draw(self) -> str:
        """Return the tail and the foot as they are drawn."""
        room = max(1, min(MAX_TAIL, self._size().lines - 3))
        lines = [*self._lines[-room:], *([(True, self._foot)] if self._foot else [])]
        self._drawn = [break_line(text, self.width)[0] for _, text in lines]
        return "".join(
            f"\x1b[2m{text}\x1b[0m\n" if dim else f"{text}\n"
            for (dim, _), text in zip(lines, self._drawn, strict=True)
        )

    def _clear(self) -> str:
        """Return what clears the tail, also one that a narrower window has broken up."""
        rows = len(self._drawn)
        if self._reflows:
            columns = self._size().columns
            rows = sum(rows_of(cell_len(line), columns) for line in self._drawn)
        self._drawn = []
        return f"\x1b[{rows}F\x1b[J" if rows else ""

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(f"{BEGIN_UPDATE}{text}{END_UPDATE}")
            self._stream.flush()

    def _size(self) -> os.terminal_size:
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns, rows = 0, 0
        # A terminal without a size (`script`, `docker exec -t`) says 0.
        return os.terminal_size((columns or 80, rows or 24))


def open_screen(stream: TextIO | None = None) -> Screen:
    """Return the screen for a stream (stdout): a terminal that can draw, or plain lines."""
    stream = stream or sys.stdout
    if stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", ""):
        return TerminalScreen(stream)
    return PlainScreen(stream)
