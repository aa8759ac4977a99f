"""The screen of a review: a header, the outline beside the recording, the questions, the keys.

The first frame stands before the recording is read and before what draws it is imported; keys that
come earlier do nothing.
"""

from __future__ import annotations

import asyncio
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput

from recordings.errors import RecordingError
from recordings.storage.line_index import LineIndex
from recordings.store.summary import RecordingSummary, summarise
from sii_cli.errors import SiiError
from sii_cli.prompt.key_file import ReviewScreenKeys, replace_review_keys
from sii_cli.review.bars import footer, header, questions_bar
from sii_cli.review.glimpse import glimpse
from sii_cli.review.guard import ErrorGuard
from sii_cli.review.keys import make_keys
from sii_cli.review.task import ReviewTask
from sii_cli.review.words import NARROW, OUTLINE, QUESTIONS, Ending
from sii_cli.text.sanitise import one_line, without_surrogates

if TYPE_CHECKING:
    from recordings.reviews.review import Coverage
    from sii_cli.review.draft import ReviewDraft
    from sii_cli.review.opened import OpenedItem
    from sii_cli.review.reviewing import Reviewing

_HEARTBEAT = 60.0
"""Seconds between two calls of `stay`."""


class ReviewApp:
    """Reviews one item (`ReviewScreen`)."""

    def __init__(
        self,
        task: ReviewTask,
        *,
        keys: ReviewScreenKeys,
        read: Callable[[LineIndex], OpenedItem],
        check: Callable[[], None],
        stay: Callable[[], None],
    ) -> None:
        """`task` is what is known at once; `read` reads the item, from a complete index.

        `check` reads the recording through and raises where it cannot be judged. Both are called
        in a thread. `stay` is called every minute: the item is still being reviewed.
        Raises `RecordingNotFound`, and `UsageError` for keys that cannot be.
        """
        self.ending: Ending = "left"
        self._task, self._read, self._check, self._stay = task, read, check, stay
        self._index = LineIndex(task.folder)
        self._summary = summarise(task.folder)
        self._opened: OpenedItem | None = None
        self._outline_is_shown = self._is_seen = False
        self._is_checked = False
        self._fault: BaseException | None = None
        self._left = threading.Event()
        self._reading = threading.Thread(target=self._prepare, daemon=True)
        self._buffer = Buffer(multiline=False, accept_handler=self._typed)
        self._buffer.on_text_changed += lambda _: self._typing()
        self._app: Application[None] = Application(
            layout=Layout(self._layout()),
            key_bindings=replace_review_keys(make_keys(self), keys),
            full_screen=True,
            after_render=lambda _: self._was_drawn(),
        )
        self._guard = ErrorGuard(self._app, self._say)
        self._app.timeoutlen = self._app.ttimeoutlen = 0.05

    @property
    def task(self) -> ReviewTask:
        """What is asked for."""
        return self._task if self.reviewing is None else self.reviewing.item.task

    @property
    def reviewing(self) -> Reviewing | None:
        """The item, as soon as it was read."""
        return None if self._opened is None else self._opened.reviewing

    @property
    def draft(self) -> ReviewDraft | None:
        """What was said, as soon as the item was read."""
        return None if self.reviewing is None else self.reviewing.draft

    @property
    def ready(self) -> Reviewing | None:
        """What keys act on: an item that was seen, so that no key judges an unseen one."""
        return self.reviewing if self._is_seen else None

    @property
    def coverage(self) -> Coverage | None:
        """How much was opened, as soon as the item was read."""
        return None if self.reviewing is None else self.reviewing.coverage

    def run(self) -> Ending:
        """Review until the item is sent, deferred or left.

        Raises `SiiError`, `RecordingError`, and what `save` and `stay` raise.
        """
        with suppress(termios.error, OSError, ValueError):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)  # keys that were meant for another item
        try:
            asyncio.run(self._run())
        finally:
            self._left.set()
            self._index.close()
        if fault := self._fault or self._guard.bug:
            raise fault
        return self.ending

    # Reading, in a thread of its own

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        staying = asyncio.create_task(self._stays())
        try:
            await self._app.run_async()
        finally:
            staying.cancel()

    def _prepare(self) -> None:
        try:
            while not self._index.complete and not self._left.is_set():
                self._index.extend()
            if self._left.is_set():
                return
            opened = self._read(self._index)
            self._loop.call_soon_threadsafe(self._begin, opened)
            item = opened.reviewing.item
            item.notes = item.task.read_notes()
            self._app.invalidate()
            self._check()
            self._is_checked = True
            self._loop.call_soon_threadsafe(self._checked)
        except Exception as error:
            if not self._left.is_set():
                self._fault = error
                self._loop.call_soon_threadsafe(self.leave)

    def _begin(self, opened: OpenedItem) -> None:
        self._opened = opened
        self.drawn()

    def _checked(self) -> None:
        if self.reviewing is not None and self.reviewing.waits:
            self.send()

    def _was_drawn(self) -> None:
        if self._reading.ident is None:
            self._reading.start()  # not before: the first frame would wait for what it imports
        self._is_seen = self._is_seen or self.reviewing is not None

    async def _stays(self) -> None:
        try:
            while True:
                await asyncio.sleep(_HEARTBEAT)
                await asyncio.to_thread(self._stay)  # another process may hold the leases
        except (SiiError, RecordingError) as error:
            self._fault = error
            self.leave()

    # What keys do

    def scroll(self, rows: int = 0, pages: float = 0.0) -> None:
        """Scroll what is beside the outline."""
        if (one := self._opened) is not None:
            one.pane.scroll(one.reviewing, self._height, rows, pages)

    def toggle_folds(self) -> None:
        """Open what is folded, or fold it again."""
        if (one := self._opened) is not None:
            one.reviewing.toggle_folds(one.pane.foldable)

    def toggle_outline(self) -> None:
        """Show the outline instead, in a narrow window."""
        self._outline_is_shown = not self._outline_is_shown

    def send(self) -> None:
        """Send what was said."""
        if self.reviewing is not None and self.reviewing.send(is_checked=self._is_checked):
            self._end("sent")

    def defer(self) -> None:
        """Leave the item for later."""
        self._end("later")

    def leave(self) -> None:
        """End the review; the draft is kept."""
        self._end("left")

    def _end(self, ending: Ending) -> None:
        if self._app.is_running and not self._app.is_done:
            self.ending = ending
            self._app.exit()

    def drawn(self) -> None:
        """Have the screen drawn again, with the input line where a text is typed."""
        typed = self.reviewing.draft.typed if self.reviewing is not None else None
        if typed is not None and not self._app.layout.has_focus(self._buffer):
            self._buffer.text = typed.text
            self._buffer.cursor_position = len(typed.text)
            self._app.layout.focus(self._buffer)
        elif typed is None:
            self._app.layout.focus(self._body)
        if (one := self._opened) is not None and one.reviewing.view != "entry":
            self._guard.begin(self._read_diff(one))
        self._app.invalidate()

    def _typing(self) -> None:
        if (one := self.reviewing) is not None:
            self._guard.act(lambda: one.typing(without_surrogates(self._buffer.text)))

    def _typed(self, buffer: Buffer) -> bool:
        text = without_surrogates(buffer.text)
        if (one := self.reviewing) is not None:
            one.key_pressed()
            self._guard.act(lambda: one.typed(text))
            self.drawn()
        return False

    def act(self, act: Callable[[], None]) -> None:
        """Do what a key asks for, and have the screen drawn again."""
        self._guard.act(act)
        self.drawn()

    def _say(self, text: str) -> None:
        if self.reviewing is not None:
            self.reviewing.said = text

    # What is drawn

    def _layout(self) -> HSplit:
        self._body = Window(
            FormattedTextControl(self._rows, focusable=True, show_cursor=False),
            always_hide_cursor=True,
        )
        outline = Window(FormattedTextControl(self._outline_rows), width=OUTLINE)
        beside = ConditionalContainer(
            VSplit([outline, Window(width=1, char="│", style="fg:ansibrightblack")]),
            Condition(lambda: self._columns >= NARROW),
        )
        is_typing = Condition(lambda: self.draft is not None and self.draft.typed is not None)
        line = Window(
            BufferControl(self._buffer, input_processors=[BeforeInput(self._purpose)]), height=1
        )
        return HSplit(
            [
                Window(FormattedTextControl(lambda: header(self, self._columns)), height=1),
                VSplit([beside, self._body]),
                Window(FormattedTextControl(lambda: questions_bar(self, self._columns)), height=1),
                ConditionalContainer(line, is_typing),
                ConditionalContainer(
                    Window(FormattedTextControl(lambda: footer(self, self._columns)), height=1),
                    ~is_typing,
                ),
            ]
        )

    @property
    def summary(self) -> RecordingSummary:
        """The summary, from both ends of the recording."""
        return self._summary

    @property
    def _columns(self) -> int:
        return self._app.output.get_size().columns

    @property
    def _width(self) -> int:
        return self._columns - OUTLINE - 1 if self._columns >= NARROW else self._columns

    @property
    def _height(self) -> int:
        return max(1, self._app.output.get_size().rows - 3)

    def _purpose(self) -> str:
        typed = self.draft.typed if self.draft is not None else None
        return next(
            (f"{words} " for name, words in QUESTIONS.items() if typed and name == typed.purpose),
            "",
        )

    def _outline_rows(self) -> StyleAndTextTuples:
        if (one := self._opened) is None:
            return []
        at, draft, width = one.reviewing.at, one.reviewing.draft, min(OUTLINE, self._columns)
        begins = one.reviewing.begins
        return one.outline.fragments(at, draft, self._height, width, begins)

    def _rows(self) -> ANSI | StyleAndTextTuples:
        if (one := self._opened) is None:
            return glimpse(self.task, self._summary, self._width)
        if self._outline_is_shown and self._columns < NARROW:
            at, draft, begins = one.reviewing.at, one.reviewing.draft, one.reviewing.begins
            return one.outline.fragments(at, draft, self._height, self._columns, begins)
        try:
            return ANSI("\n".join(one.pane.rows(one.reviewing, self._width, self._height)))
        except RecordingError as error:  # the check reports it, too
            return [("fg:ansiyellow", one_line(str(error), 1000))]

    async def _read_diff(self, one: OpenedItem) -> None:
        await one.pane.read_diff(one.reviewing)
        self._app.invalidate()
