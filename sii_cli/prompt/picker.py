"""A list to choose from at the terminal: what is typed searches it, Enter picks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)

from sii_cli.errors import explain
from sii_cli.prompt.terminal import make_input, make_output
from sii_cli.prompt.view import STYLE, fit, wrap
from sii_cli.text.sanitise import one_line, sanitise

_ROWS = 12
"""Rows of the list that are shown at most."""
_PREVIEW = 6
_FOOT = 3


@dataclass(frozen=True, slots=True)
class PickerRow:
    """One thing to choose."""

    key: str
    text: str
    """In one line."""
    preview: str = ""
    """More of it, for the row that is chosen."""


Find = Callable[[str], Awaitable[Sequence[PickerRow]]]
"""Returns the rows for what is typed, the best first."""


class Picker:
    """Shows rows until one is picked."""

    def __init__(
        self,
        title: str,
        find: Find,
        *,
        rename: Callable[[PickerRow, str], None] | None = None,
    ) -> None:
        self._title = title
        self._find = find
        self._rename = rename
        self._said = ""
        """What is said below the list instead of the keys."""
        self._rows: Sequence[PickerRow] = ()
        self._at = 0
        self._searching: asyncio.Task[None] | None = None
        self._words = Buffer(on_text_changed=lambda _: self._search())
        search = BufferControl(self._words)
        self._app: Application[PickerRow | None] = Application(
            layout=Layout(self._layout(search), focused_element=search),
            key_bindings=self._keys(),
            style=STYLE,
            input=make_input(),
            output=make_output(),
            erase_when_done=True,
        )

    async def run(self) -> PickerRow | None:
        """Return the row that is picked, or `None`."""
        self._search()
        try:
            # The prompt's own handler of Ctrl-C would be lost; here Ctrl-C is a key.
            return await self._app.run_async(handle_sigint=False)
        finally:
            if self._searching is not None:
                self._searching.cancel()

    def _search(self) -> None:
        if self._searching is not None:
            self._searching.cancel()
        self._searching = asyncio.ensure_future(self._show_found(self._words.text))

    async def _show_found(self, words: str) -> None:
        self._rows = await self._find(words)
        self._at, self._said = 0, ""
        self._app.invalidate()

    async def _pick(self) -> None:
        """Pick the chosen row of what was typed, once it was searched for."""
        if self._searching is not None:
            await asyncio.wait([self._searching])
        if self._rows and self._app.is_running and not self._app.is_done:
            self._app.exit(result=self._rows[self._at])

    def _layout(self, search: BufferControl) -> HSplit:
        return HSplit(
            [
                Window(FormattedTextControl(lambda: [("bold", self._title)]), height=1),
                Window(search, height=1, get_line_prefix=lambda *_: [("class:prompt", "› ")]),
                Window(
                    FormattedTextControl(self._list),
                    height=Dimension(min=1, max=_ROWS),
                    dont_extend_height=True,
                ),
                Window(
                    FormattedTextControl(self._preview),
                    height=Dimension(min=0, max=_PREVIEW),
                    dont_extend_height=True,
                    style="class:dim",
                ),
                Window(
                    FormattedTextControl(self._foot),
                    height=Dimension(min=1, max=_FOOT),
                    dont_extend_height=True,
                ),
            ]
        )

    @property
    def _help(self) -> str:
        rename = " · Ctrl-R names it as typed" if self._rename is not None else ""
        return f"type to search · ↑↓ choose · Enter picks{rename} · Esc leaves"

    def _foot(self) -> StyleAndTextTuples:
        width = self._app.output.get_size().columns - 1
        return [("class:dim", "\n".join(wrap(self._said or self._help, width)))]

    def _name(self) -> None:
        """Give the chosen row the name that is typed."""
        name = self._words.text.strip()
        if self._rename is None or not self._rows or not name:
            return
        try:
            self._rename(self._rows[self._at], name)
        except Exception as error:
            known = explain(error)
            if known is None:
                raise
            self._said = one_line(str(known), 200)
            return
        self._words.reset()
        self._search()

    def _list(self) -> StyleAndTextTuples:
        if not self._rows:
            return [("class:dim", "  nothing is found")]
        width = self._app.output.get_size().columns - 3
        first = max(0, min(self._at - _ROWS // 2, len(self._rows) - _ROWS))
        lines: StyleAndTextTuples = []
        for place, row in enumerate(self._rows[first : first + _ROWS], first):
            style, mark = ("reverse", "▸ ") if place == self._at else ("", "  ")
            lines.append((style, mark + fit(one_line(row.text, 4 * width), width)))
            lines.append(("", "\n"))
        return lines[:-1]

    def _preview(self) -> StyleAndTextTuples:
        if not self._rows or not self._rows[self._at].preview:
            return []
        width = self._app.output.get_size().columns - 3
        lines = sanitise(self._rows[self._at].preview).split("\n")[:_PREVIEW]
        return [("", "\n".join("  " + fit(line, width) for line in lines))]

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def move(by: int) -> None:
            self._at = max(0, min(len(self._rows) - 1, self._at + by))

        keys.add("up")(lambda event: move(-1))
        keys.add("c-p")(lambda event: move(-1))
        keys.add("down")(lambda event: move(1))
        keys.add("c-n")(lambda event: move(1))
        keys.add("pageup")(lambda event: move(-_ROWS))
        keys.add("pagedown")(lambda event: move(_ROWS))

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            event.app.create_background_task(self._pick())

        keys.add("c-r")(lambda event: self._name())

        @keys.add("escape", eager=True)
        @keys.add("c-c")
        @keys.add("c-d")
        @keys.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=None)

        return keys


def rows_of(choices: Sequence[PickerRow]) -> Find:
    """Return a search among few rows."""

    async def find(words: str) -> Sequence[PickerRow]:
        return [row for row in choices if words.lower() in row.text.lower()]

    return find
