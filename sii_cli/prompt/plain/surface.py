"""A surface of lines: nothing is drawn again, and no control sequence is written."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from prompt_toolkit.data_structures import Size

from sii_cli.prompt.plain.questions import LineDialog, LineQuestions
from sii_cli.prompt.slash import NotDone

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from sii_cli.prompt.plain.lines import TypedLines
    from sii_cli.prompt.plain.renderer import LineRenderer

NO_CLIPBOARD = "The plain prompt writes no control sequences: `sii show last` prints the answer."
WIDTH = 100
"""Columns for what is arranged in columns."""


class LineSurface:
    """Prints (a `PromptSurface`). `gone` is called when nobody reads it any more."""

    def __init__(self, lines: TypedLines, gone: Callable[[], None]) -> None:
        self.running = ""
        self.status: StyleAndTextTuples = []
        self.panel: Callable[[int], Sequence[str]] = lambda width: ()
        self.is_typing = False
        self.questions = LineQuestions(self.write)
        self.dialog = LineDialog(self.questions)
        self._lines = lines
        self._gone = gone

    @property
    def size(self) -> Size:
        """Wide enough for what the status says."""
        return Size(rows=24, columns=WIDTH)

    def make_renderer(self, *, fold_thoughts: bool) -> LineRenderer:
        """Return what says what happens."""
        from sii_cli.prompt.plain.renderer import LineRenderer  # rich is slow to import

        return LineRenderer(self.write, fold_thoughts=fold_thoughts)

    def write(self, word: str, lines: Sequence[str]) -> None:
        """Print lines after a word that says what they are."""
        from sii_cli.prompt.plain.renderer import line_of

        if not lines:
            return
        try:
            sys.stdout.buffer.write(line_of(word, lines).encode("utf-8", "replace"))
            sys.stdout.buffer.flush()
        except OSError:
            self._gone()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Leave standard input to another program meanwhile."""
        with self._lines.paused():
            yield

    def take_above(self) -> str:
        """Return nothing: all was printed."""
        return ""

    def refresh(self) -> None:
        """Nothing is drawn again."""

    def panel_turned(self) -> None:
        """Print the panel."""
        self.write("Panel", [*self.panel(WIDTH)] or ["closed"])

    def copy(self, text: str) -> None:
        """Refuse: the clipboard needs a control sequence. Raises `NotDone`."""
        raise NotDone(NO_CLIPBOARD)

    def alert(self, said: str) -> None:
        """Ring, on a terminal."""
        if os.isatty(1):
            os.write(1, b"\a")

    def edit_as(self, editor: Literal["emacs", "vi"]) -> None:
        """The terminal edits its lines itself."""
