"""The end of the recording with nothing folded: what Ctrl-O opens over the prompt."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from recordings.replay.timeline import shown
from recordings.storage.line_index import STEP, LineIndex
from sii_cli.prompt.terminal import make_input, make_output
from sii_cli.render.bounded import bounded
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.row_screen import MAX_ROWS, RowScreen

BACK_LINES = 400
BACK_BYTES = 1 << 20
"""How much of the recording is opened: lines, and bytes."""
KEYS = " q or Ctrl-O closes · ↑ ↓ PgUp PgDn Home End"


def draw_opened(folder: Path, width: int) -> list[str]:
    """Return the rows of the recording's end, with nothing folded. Raises `RecordingError`."""
    with closing(LineIndex(folder)) as index:
        while not index.complete:
            index.extend()
        screen = RowScreen(width)
        renderer = EventRenderer(screen, fold=False)
        for event in index.events(_begin(index), len(index)):
            for _, item in shown(bounded(event)):
                renderer.feed(item)
        renderer.finish()
        return screen.rows[-MAX_ROWS:]


def _begin(index: LineIndex) -> int:
    """Return the line to begin at: a step's first, as far back as is opened."""
    size, number = 0, len(index)
    while number > 0 and len(index) - number < BACK_LINES and size < BACK_BYTES:
        number -= 1
        size += index.size(number)
    begin = index.find(STEP, number)
    return number if begin is None else begin


class OpenedRows:
    """The rows over the whole window, until the human closes them."""

    def __init__(self, rows: list[str]) -> None:
        self._rows = rows
        self._app: Application[None] = Application(
            layout=Layout(
                HSplit(
                    [
                        Window(FormattedTextControl(self._shown), always_hide_cursor=True),
                        Window(FormattedTextControl(self._foot), height=1),
                    ]
                )
            ),
            key_bindings=self._keys(),
            full_screen=True,
            input=make_input(),
            output=make_output(),
        )
        self._app.timeoutlen = self._app.ttimeoutlen = 0.05
        self._top = len(rows)  # the end: bounded when it is drawn

    async def run(self) -> None:
        """Show them until they are closed."""
        await self._app.run_async()

    def close(self) -> None:
        """Close them, also when nobody asked for it."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    @property
    def _size(self) -> Size:
        return self._app.output.get_size()

    @property
    def _height(self) -> int:
        return max(1, self._size.rows - 1)

    def _scroll(self, rows: int) -> None:
        self._top = max(0, min(self._top, self._last) + rows)

    @property
    def _last(self) -> int:
        return max(0, len(self._rows) - self._height)

    def _shown(self) -> ANSI:
        self._top = min(self._top, self._last)
        return ANSI("\n".join(self._rows[self._top : self._top + self._height]))

    def _foot(self) -> StyleAndTextTuples:
        upto = min(len(self._rows), self._top + self._height)
        return [("reverse", f" rows {self._top + 1} to {upto} of {len(self._rows)} "), ("", KEYS)]

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("q")
        @keys.add("c-o")
        @keys.add("escape")
        @keys.add("c-c")
        @keys.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            self.close()

        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "home": -MAX_ROWS, "end": MAX_ROWS}
        for name, step in steps.items():

            @keys.add(name)
            def _(event: KeyPressEvent, step: int = step) -> None:
                self._scroll(step)

        @keys.add("pageup")
        def _(event: KeyPressEvent) -> None:
            self._scroll(1 - self._height)

        @keys.add("pagedown")
        @keys.add("space")
        def _(event: KeyPressEvent) -> None:
            self._scroll(self._height - 1)

        return keys
