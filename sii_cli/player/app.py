"""The player's screen: rows of the recording, a seek bar, what the keys are."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from recordings.errors import RecordingError
from recordings.line_index import LineIndex
from sii_cli.player.keys import HELP, make_keys
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
        self._player = Player(self._index, self._refresh, speed)
        self._paused = paused
        self._top: int | None = None
        """First row shown, of all that the scene drew; none: the last ones are shown."""
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
        fault = self._fault or self._player.fault
        if fault is not None:
            raise fault

    async def _run(self) -> None:
        self._index.extend()
        self._player.redraw(self._app.output.get_size().columns)
        try:
            await self._app.run_async()
        finally:
            self._player.pause()

    def _begin(self) -> None:
        """Read on and play, once the first frame stands."""
        if self._reading.ident is None:
            self._reading.start()
            if not self._paused:
                self._player.play()

    def _read(self) -> None:
        """Build the index, in a thread of its own."""
        try:
            while not self._index.complete and not self._left.is_set():
                self._index.extend()
        except (RecordingError, OSError) as error:
            self._fault = error
            self._index.complete = True
        self._app.invalidate()

    def _refresh(self) -> None:
        self._app.invalidate()

    # What keys do

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
        scene, bottom = self._player.scene, self._first_row() + self._height
        seen = [seq for seq, row in scene.foldable if row < bottom]
        if not seen:
            self._player.said = "nothing here is folded"
            return
        scene.toggle(seen[-1])
        self._player.redraw(self._player.width)
        self._top = dict(scene.foldable).get(seen[-1])

    def scroll(self, pages: float = 0.0, rows: int = 0) -> None:
        """Move over what is there already."""
        rows += int(pages * max(1, self._height - 1))
        screen = self._player.scene.screen
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
        """The first row shown, of all that the scene drew."""
        screen = self._player.scene.screen
        if self._top is not None:
            return self._top
        return max(screen.dropped, screen.dropped + len(screen.rows) - self._height)

    def _rows(self) -> ANSI:
        columns = self._app.output.get_size().columns
        if columns != self._player.width:
            self._player.redraw(columns)
        screen, height = self._player.scene.screen, self._height
        if self._top is not None:
            first = max(0, self._top - screen.dropped)
            return ANSI("\n".join(screen.rows[first : first + height]))
        growing = [f"\x1b[2m{text}\x1b[0m" if dim else text for dim, text in screen.growing]
        return ANSI("\n".join([*screen.rows[-height:], *growing][-height:]))

    def _bar(self) -> StyleAndTextTuples:
        player = self._player
        state = "■" if player.ended else "▶" if player.playing else "‖"
        total = _clock(player.total) + ("" if self._index.complete else "…")
        head = f" {state} {_clock(player.seconds)} / {total}  ×{player.speed:g} "
        tail = f" {player.position:,}/{len(self._index):,}"
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
