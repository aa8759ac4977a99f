"""The player's screen: rows of the recording, a seek bar, what the keys are.

The first frame stands before what is slow to import is there; keys wait for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from recordings.errors import RecordingError
from recordings.storage.line_index import LineIndex
from sii_cli.player.keys import HELP, make_keys

if TYPE_CHECKING:
    from sii_cli.player.player import Player

_REDRAW = 1 / 30
"""Seconds between two drawings at least."""
_BELOW = 2
"""Rows below the recording's."""


class PlayerApp:
    """The player of one recording: what the keys do (`PlayerActions`), and what is drawn."""

    def __init__(self, folder: Path, *, speed: float = 1.0, paused: bool = False) -> None:
        """Raises `RecordingNotFound`."""
        self._index = LineIndex(folder)
        self._loaded: Player | None = None
        self._loading: asyncio.Task[None] | None = None
        self._waiting: list[Callable[[], None]] = []
        """What keys asked for before the player was there."""
        self._speed = speed
        self._paused = paused
        self._top: int | None = None
        """First row shown, of all that were drawn; `None` means the last ones are shown."""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._left = threading.Event()
        self._fault: BaseException | None = None
        rows = Window(FormattedTextControl(self._rows), always_hide_cursor=True)
        bar = Window(FormattedTextControl(self._bar), height=1)
        keys = Window(FormattedTextControl([("fg:ansibrightblack", HELP)]), height=1)
        self._app: Application[None] = Application(
            layout=Layout(HSplit([rows, bar, keys])),
            key_bindings=make_keys(self),
            full_screen=True,
            min_redraw_interval=_REDRAW,
            after_render=lambda _: self._begin(),
        )
        self._app.timeoutlen = self._app.ttimeoutlen = 0.05

    def run(self) -> None:
        """Play until the human leaves. Raises `RecordingError`."""
        try:
            asyncio.run(self._run())
        finally:
            self._left.set()
            if self._reading.ident is not None:
                self._reading.join()
            self._index.close()
        fault = self._fault or (self._loaded.fault if self._loaded else None)
        if fault is not None:
            raise fault

    async def _run(self) -> None:
        self._index.extend()
        try:
            await self._app.run_async()
        finally:
            if self._loading is not None:
                self._loading.cancel()
            if self._loaded is not None:
                self._loaded.pause()

    def _begin(self) -> None:
        """Once the first frame stands, get the player and read on."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            module = await asyncio.to_thread(import_module, "sii_cli.player.player")
            self._loaded = player = module.Player(self._index, self._app.invalidate, self._speed)
            player.redraw(self._app.output.get_size().columns)
        except Exception as error:
            self._fault = error
            self.leave()
            return
        self._reading.start()
        if not self._paused:
            player.play()
        for action in self._waiting:
            action()
        self._app.invalidate()

    @property
    def _player(self) -> Player:
        assert self._loaded is not None, "keys wait for it"
        return self._loaded

    def _read(self) -> None:
        """Build the index, in a thread of its own."""
        try:
            while not self._index.complete and not self._left.is_set():
                self._index.extend()
        except (RecordingError, OSError) as error:
            self._fault = error
            self._index.complete = True
        self._app.invalidate()

    # What keys do

    def when_ready(self, action: Callable[[], None]) -> None:
        """Carry out what a key asks for, now or as soon as the player is there."""
        if self._loaded is None:
            self._waiting.append(action)
        else:
            action()

    def toggle_play(self) -> None:
        """Play, or stop where it is."""
        self._top = None
        if self._player.playing:
            self._player.pause()
        else:
            self._player.play()

    def faster(self, times: int) -> None:
        """Change the pace."""
        self._player.faster(times)

    def step(self, *, back: bool = False) -> None:
        """Show the next thing that happened, or take the last one back."""
        self._top = None
        self._player.pause()
        if back:
            self._player.step_back()
        else:
            self._player.step()

    def jump(self, mark: int, *, back: bool = False) -> None:
        """Go to the next event with a mark, or back."""
        self._top = None
        self._player.jump(mark, back=back)

    def seek(self, part: float) -> None:
        """Go to a part (0 to 1) of the time."""
        self._top = None
        if part < 1:
            self._player.seek(part)
        else:
            self._player.end()

    def toggle_fold(self) -> None:
        """Open the last folded output on the screen, or fold it again."""
        self._player.pause()
        drawn, bottom = self._player.drawn, self._first_row() + self._height
        seen = [seq for seq, row in drawn.foldable if row < bottom]
        if not seen:
            self._player.said = "nothing here is folded"
            return
        drawn.toggle(seen[-1])
        self._player.redraw(self._player.width)
        self._top = dict(drawn.foldable).get(seen[-1])

    def scroll(self, pages: float = 0.0, rows: int = 0) -> None:
        """Move over what is there already."""
        rows += int(pages * max(1, self._height - 1))
        screen = self._player.drawn.screen
        last = screen.dropped + len(screen.rows) - self._height
        top = max(screen.dropped, self._first_row() + rows)
        self._top = None if top >= last else top

    def leave(self) -> None:
        """End the player."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    # What is drawn

    @property
    def _height(self) -> int:
        return max(1, self._app.output.get_size().rows - _BELOW)

    def _first_row(self) -> int:
        """The first row shown, of all that are drawn."""
        screen = self._player.drawn.screen
        if self._top is not None:
            return self._top
        return max(screen.dropped, screen.dropped + len(screen.rows) - self._height)

    def _rows(self) -> ANSI:
        if self._loaded is None:
            return ANSI("")
        columns = self._app.output.get_size().columns
        if columns != self._player.width:
            self._player.redraw(columns)
        screen, height = self._player.drawn.screen, self._height
        if self._top is not None:
            first = max(0, self._top - screen.dropped)
            return ANSI("\n".join(screen.rows[first : first + height]))
        growing = [f"\x1b[2m{text}\x1b[0m" if dim else text for dim, text in screen.growing]
        return ANSI("\n".join([*screen.rows[-height:], *growing][-height:]))

    def _bar(self) -> StyleAndTextTuples:
        if self._loaded is None:
            return [("bold", " ‖ 0:00")]
        player = self._player
        state = "■" if player.ended else "▶" if player.playing else "‖"
        total = _clock(player.total) + ("" if self._index.complete else "…")
        head = f" {state} {_clock(player.seconds)} / {total}  ×{player.speed:g} "
        tail = f" event {max(0, player.position - 1)} of {max(0, len(self._index) - 1)}"
        note = f"  {player.said}" if player.said else ""
        room = max(0, self._app.output.get_size().columns - len(head + tail + note) - 1)
        part = player.seconds / player.total if player.total else 0.0
        done = round(min(1.0, part) * room)
        return [
            ("bold", head),
            ("fg:ansicyan", "━" * done),
            ("fg:ansibrightblack", "─" * (room - done)),
            ("", tail),
            ("fg:ansiyellow", note),
        ]


def _clock(seconds: float) -> str:
    """Return a time as `1:02:03` or `2:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
