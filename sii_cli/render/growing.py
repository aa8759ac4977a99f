"""What grows at the end of a screen: text while it streams, the output of a running call."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from rich.console import RenderableType
from rich.text import Text

from sii_cli.render.figures import counted, duration
from sii_cli.render.markdown import MarkdownStream
from sii_cli.render.observations import BAR
from sii_cli.render.screen import MAX_TAIL, PAPER, Screen, TailLine
from sii_cli.render.wrap import GrowingRows, LineStream, wrap

OUTPUT_ROWS = 6
"""Rows of a running call's output, and of a thought that is folded when it ends."""


class Prose:
    """Reasoning or content while it streams; what is whole of it stays on the screen."""

    def __init__(self, kind: str, screen: Screen) -> None:
        self.kind = kind
        self.begun = False
        self._width = screen.width
        self._growing = GrowingRows(screen.width)
        self._dim = kind == "reasoning"
        self._stream: LineStream | MarkdownStream
        if self._dim or not screen.live:
            self._stream = LineStream(screen.width if screen.live else PAPER)
        else:
            self._stream = MarkdownStream()

    def feed(self, text: str) -> list[RenderableType]:
        """Take a piece; return the blocks that are whole by it."""
        return [self._styled(block) for block in self._stream.feed(text)]

    def end(self) -> list[RenderableType]:
        """Return what is left."""
        return [self._styled(block) for block in self._stream.end()]

    def tail(self) -> list[TailLine]:
        """Return the rows that still grow."""
        if isinstance(self._stream, LineStream):
            gap = [] if self.begun else [(False, "")]
            return [*gap, (self._dim, self._stream.growing)]
        *whole, growing = self._stream.growing
        rows = self._growing.of(growing)
        for line in reversed(whole):
            if len(rows) >= MAX_TAIL:
                break
            rows = [*_rows_of(line, self._width), *rows]
        return [(False, row) for row in ["", *rows][-MAX_TAIL:]]

    def _styled(self, block: RenderableType) -> RenderableType:
        if isinstance(block, str):
            return Text(block, style="dim italic" if self._dim else "")
        return block


class FoldedThought:
    """A thought of which one line is left when it ends: how long it took, and its length."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self.kind = "reasoning"
        self.begun = False
        self._clock = clock
        self._since = clock()
        self._lines = LineStream(screen.width)
        self._rows: deque[str] = deque(maxlen=OUTPUT_ROWS)
        self._count = 0

    def feed(self, text: str) -> list[RenderableType]:
        """Take a piece; nothing of it stays on the screen."""
        rows = self._lines.feed(text)
        self._rows.extend(rows)
        self._count += len(rows)
        return []

    def end(self) -> list[RenderableType]:
        """Return the line that is left."""
        took = duration(self._clock() - self._since)
        count = self._count + bool(self._lines.growing.strip())
        return [Text(f"thought {took} · {counted(count, 'line', 'lines')} ▸", "dim italic")]

    def tail(self) -> list[TailLine]:
        """Return the last rows."""
        rows = [*self._rows, self._lines.growing][-OUTPUT_ROWS:]
        return [(False, ""), *((True, row) for row in rows)]


@lru_cache(maxsize=4 * MAX_TAIL)
def _rows_of(line: str, width: int) -> tuple[str, ...]:
    """Break a line of the tail, which is drawn again with every piece that comes."""
    return tuple(wrap(line, width))


class GrowingOutput:
    """What a running call has written so far: its last rows."""

    def __init__(self, width: int) -> None:
        self._lines = LineStream(max(10, width - len(BAR)))
        self._rows: deque[str] = deque(maxlen=OUTPUT_ROWS)

    def feed(self, text: str) -> None:
        """Take a piece."""
        self._rows.extend(self._lines.feed(text))

    def tail(self) -> list[TailLine]:
        """Return the last rows."""
        rows = [*self._rows, self._lines.growing] if self._lines.growing else [*self._rows]
        return [(True, BAR + row) for row in rows[-OUTPUT_ROWS:]]
