"""The bottom of the terminal: the tail, what runs, the queue, the input line, the status.

Everything else is printed above it, once, and never drawn again.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Literal

from prompt_toolkit.application import Application, in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenuControl
from prompt_toolkit.layout.screen import Screen
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets import SearchToolbar

from sii_cli.prompt.permission_dialog import PermissionDialog
from sii_cli.prompt.terminal import make_input, make_output
from sii_cli.render.terminal import BEGIN_UPDATE, END_UPDATE, reflows, rows_of
from sii_cli.text.sanitise import sanitise

if TYPE_CHECKING:
    from sii_cli.prompt.screen import ScreenRenderer

REDRAW = 1 / 150
"""Minimum seconds between two drawings; the first one is immediate."""
INPUT_ROWS = 10
OTHER_ROWS = 6
"""Rows kept free below the tail."""
QUEUE_ROWS = 3
PANEL_FROM = 18
"""Rows of a terminal that has room for the panel."""

STYLE = Style.from_dict(
    {
        "prompt": "bold ansicyan",
        "dim": "fg:ansibrightblack",
        "running": "ansicyan",
        "warning": "ansiyellow",
        "error": "ansired",
        "completion-menu": "bg:default fg:ansibrightblack",
        "completion-menu.completion": "",
        "completion-menu.completion.current": "reverse",
        "completion-menu.meta.completion": "bg:default fg:ansibrightblack",
        "completion-menu.meta.completion.current": "bg:default fg:ansibrightblack reverse",
    }
)


class View:
    """The live region. Plain attributes say what it shows; `refresh` after a change."""

    def __init__(self, history: History, completer: Completer) -> None:
        self.tail: Sequence[tuple[bool, str]] = ()
        """(dim, text), sanitised, no wider than the terminal."""
        self.running = ""
        self.hint = ""
        self.question_drawn: float | None = None
        """When the question was drawn, by the monotonic clock."""
        self._question: Callable[[int], Sequence[str]] | None = None
        self.waiting: Callable[[], Iterable[tuple[str, str]]] = tuple
        """What was typed and waits: for what, and the text."""
        self.status: StyleAndTextTuples = []
        self.panel: Callable[[int], Sequence[str]] = lambda width: ()
        """Returns the rows of the panel, for so many columns."""
        self.input = Buffer(
            history=history,
            multiline=True,
            completer=completer,
            complete_while_typing=True,
            enable_history_search=False,
            tempfile_suffix=".md",
        )
        self.dialog = PermissionDialog(self)
        self._above: list[str] = []
        self._alert = ""
        self._search = SearchToolbar()
        self._input_control = BufferControl(
            self.input, search_buffer_control=self._search.control, preview_search=True
        )
        self.app = _Application(
            layout=Layout(self._rows(), focused_element=self._input_control),
            style=STYLE,
            input=make_input(),
            output=make_output(),
            erase_when_done=True,
            min_redraw_interval=REDRAW,
            max_render_postpone_time=REDRAW,
        )
        # An Esc differs from Alt and from a function key by what follows within these seconds.
        self.app.ttimeoutlen = 0.03
        self.app.timeoutlen = 0.05
        self.app.before_render += lambda _: self._write_above()
        self.app.after_render += lambda _: self._end_update()

    @property
    def size(self) -> Size:
        """Of the terminal."""
        return self.app.output.get_size()

    @property
    def is_typing(self) -> bool:
        """Whether something is on the line."""
        return bool(self.input.text)

    def make_renderer(self, *, fold_thoughts: bool) -> ScreenRenderer:
        """Return what draws sessions above the line."""
        from sii_cli.prompt.screen import ScreenRenderer  # rich is slow to import

        return ScreenRenderer(self, fold_thoughts=fold_thoughts)

    def lent(self) -> AbstractAsyncContextManager[None]:
        """Leave the terminal to another program meanwhile."""
        return in_terminal()

    def above(self, text: str) -> None:
        """Print finished lines above everything, with the next drawing."""
        self._above.append(text)
        self.refresh()

    def copy(self, text: str) -> None:
        """Put a text on the terminal's clipboard (OSC 52)."""
        self.app.output.write_raw(
            f"\x1b]52;c;{b64encode(text.encode('utf-8', 'replace')).decode()}\x07"
        )
        self.app.output.flush()

    def refresh(self) -> None:
        """Draw again, soon."""
        self.app.invalidate()

    def panel_turned(self) -> None:
        """Draw the panel, which the user turned."""
        self.refresh()

    def edit_as(self, editor: Literal["emacs", "vi"]) -> None:
        """Edit the line with the keys of one of these."""
        self.app.editing_mode = EditingMode.VI if editor == "vi" else EditingMode.EMACS

    def alert(self, said: str) -> None:
        """Ring, and have the terminal show a notice where it can (OSC 9)."""
        self._alert = f"\x07\x1b]9;{sanitise(said)}\x1b\\"
        self.refresh()

    def ask(self, rows: Callable[[int], Sequence[str]] | None) -> None:
        """Show a question, whose rows depend on the width; `None` removes it."""
        self._question, self.question_drawn = rows, None
        self.refresh()

    def take_above(self) -> str:
        """Return the lines that were not printed yet."""
        text, self._above = "".join(self._above), []
        return text

    def _write_above(self) -> None:
        output = self.app.output
        alert, self._alert = self._alert, ""
        output.write_raw(alert + BEGIN_UPDATE)
        if not self._above:
            return
        self.app.renderer.erase(leave_alternate_screen=False)
        output.write_raw(self.take_above().replace("\n", "\r\n"))

    def _end_update(self) -> None:
        if self._question is not None and self.question_drawn is None:
            self.question_drawn = time.monotonic()
        self.app.output.write_raw(END_UPDATE)
        self.app.output.flush()

    def _rows(self) -> HSplit:
        return HSplit(
            [
                Window(height=1),
                _lines(self._tail_text),
                _lines(self._panel_text),
                _lines(self._running_text),
                _lines(self._queue_text),
                _lines(self._question_text),
                Window(
                    self._input_control,
                    height=Dimension(min=1, max=INPUT_ROWS),
                    wrap_lines=True,
                    dont_extend_height=True,
                    get_line_prefix=_prompt,
                ),
                self._search,
                ConditionalContainer(
                    Window(
                        CompletionsMenuControl(),
                        height=Dimension(min=0, max=8),
                        dont_extend_height=True,
                        style="class:completion-menu",
                    ),
                    filter=has_completions,
                ),
                _lines(lambda: self.status),
            ]
        )

    def _tail_text(self) -> StyleAndTextTuples:
        room = max(1, self.size.rows - OTHER_ROWS - len(self._panel_rows()))
        return _join([("class:dim" if dim else "", text) for dim, text in self.tail[-room:]])

    def _panel_rows(self) -> Sequence[str]:
        return self.panel(self.size.columns - 1) if self.size.rows >= PANEL_FROM else ()

    def _panel_text(self) -> StyleAndTextTuples:
        return _join([("class:dim", row) for row in self._panel_rows()])

    def _running_text(self) -> StyleAndTextTuples:
        width = self.size.columns - 1
        if self.hint:  # the keys that answer a question are at its end
            return _join([("class:warning", row) for row in wrap(self.hint, width)])
        return [("class:running", fit(self.running, width))] if self.running else []

    def _question_text(self) -> StyleAndTextTuples:
        if self._question is None:
            return []
        width = self.size.columns - 1
        return _join([("class:warning", fit(row, width)) for row in self._question(width)])

    def _queue_text(self) -> StyleAndTextTuples:
        width = self.size.columns - 1
        waiting = list(self.waiting())
        rows = [f"{what}: {' '.join(text.split())}" for what, text in waiting[:QUEUE_ROWS]]
        if len(waiting) > QUEUE_ROWS:
            rows.append(f"… and {len(waiting) - QUEUE_ROWS} more")
        return _join([("class:dim", fit(row, width)) for row in rows])


class _Application(Application[None]):
    """An application that finds its region again after the terminal has broken its lines."""

    def _on_resize(self) -> None:
        screen = self.renderer.last_rendered_screen
        if screen is not None and reflows(os.environ):
            columns = self.output.get_size().columns
            x, y = self.renderer._cursor_pos
            above = sum(rows_of(_width(screen, row), columns) for row in range(y))
            self.renderer._cursor_pos = Point(x=x % columns, y=above + x // columns)
        super()._on_resize()


def _width(screen: Screen, row: int) -> int:
    cells = screen.data_buffer[row]
    return max((column + 1 for column, cell in cells.items() if cell.char.strip()), default=0)


def fit(text: str, width: int) -> str:
    """Cut a line to a number of cells."""
    window = text[: 8 * width]  # a long text costs no more than a short one
    if len(window) == len(text) and get_cwidth(text) <= width:
        return text
    text = window
    while text and get_cwidth(text) >= width:
        text = text[:-1]
    return text + "…"


def wrap(text: str, width: int) -> list[str]:
    """Break a line at spaces into rows of at most so many cells; a longer word is cut."""
    rows: list[str] = []
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and get_cwidth(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(fit(word, width))
    return rows


def _lines(text: Callable[[], StyleAndTextTuples]) -> ConditionalContainer:
    """Rows of a window as high as its text, which may be empty."""
    return ConditionalContainer(
        Window(FormattedTextControl(text), dont_extend_height=True, height=Dimension(min=0)),
        filter=Condition(lambda: bool(text())),
    )


def _join(rows: StyleAndTextTuples) -> StyleAndTextTuples:
    joined: StyleAndTextTuples = []
    for row in rows:
        joined += [("", "\n"), row] if joined else [row]
    return joined


def _prompt(line: int, wrapped: int) -> StyleAndTextTuples:
    return [("class:prompt", "› " if line == wrapped == 0 else "  ")]
