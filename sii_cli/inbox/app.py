"""The inbox on a full screen: one session after another, while those with a reply work.

The first frame stands before what continues sessions is imported.
"""

from __future__ import annotations

import asyncio
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from recordings.errors import RecordingError
from sii_cli.config.settings import Settings
from sii_cli.errors import SiiError
from sii_cli.inbox.answer import TaskVerdict, parse_answer
from sii_cli.inbox.bars import empty, foot, head, status
from sii_cli.inbox.keys import make_inbox_keys
from sii_cli.inbox.layout import INPUT_ROWS, inbox_layout
from sii_cli.inbox.queue import InboxQueue
from sii_cli.inbox.shown import ShownSession
from sii_cli.inbox.threads import in_thread
from sii_cli.inbox.waiting import WaitingSession
from sii_cli.review.guard import ErrorGuard
from sii_cli.review.words import NARROW
from sii_cli.text.sanitise import without_surrogates

if TYPE_CHECKING:
    from sii_cli.inbox.background import Background, ContinuedSession, Ending
    from sii_cli.review.opened import OpenedItem
    from sii_cli.review.reviewing import Reviewing

_HEARTBEAT = 60.0
"""Seconds between two renewals of the lease."""
_LOOK_AGAIN = 10.0
"""Seconds between two looks for what waits, while nothing is on the screen."""

Leaving = Literal["", "ask", "wait", "stop"]


class InboxApp:
    """Shows what waits and takes replies (`InboxKeys`)."""

    def __init__(
        self, queue: InboxQueue, settings: Settings, *, shows_check: bool, at_once: int
    ) -> None:
        self._queue, self._settings, self._shows_check = queue, settings, shows_check
        self._at_once = at_once
        self._background: Background | None = None
        """What continues sessions, once it was imported."""
        self._shown: ShownSession | None = None
        self._seen: set[str] = set()
        """Sessions that were skipped since the inbox was opened."""
        self._said = ""
        self._leaving: Leaving = ""
        self._is_drawn = False
        self._is_busy = False
        """Whether what was typed is being recorded."""
        self._buffer = Buffer(multiline=True)
        self._buffer.on_text_changed += lambda _: self._keep_draft()
        self._app: Application[None] = Application(
            layout=Layout(self._layout()),
            key_bindings=make_inbox_keys(self),
            full_screen=True,
            after_render=lambda _: self._was_drawn(),
        )
        self._guard = ErrorGuard(self._app, self._say)
        self._app.timeoutlen = self._app.ttimeoutlen = 0.05

    def run(self) -> None:
        """Show the inbox until the person leaves. Raises `SiiError`, `RecordingError`."""
        with suppress(termios.error, OSError, ValueError):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        asyncio.run(self._run())

    async def _run(self) -> None:
        upkeep = asyncio.create_task(self._keep_up())
        try:
            await self._next()
            await self._app.run_async()
        finally:
            upkeep.cancel()
            if self._background is not None:
                await self._background.aclose()
            self._put_away()
        if self._guard.bug is not None:
            raise self._guard.bug

    async def _begin_work(self) -> Background:
        """Return what continues sessions; at first it takes those that have a reply."""
        background = await in_thread(_import_background)
        if self._background is None:
            from sii_cli.inbox.batches import Batches

            self._background = background(Batches(), self._at_once, ended=self._ended)
            for one in self._queue.replied:
                self._background.begin(one)
        return self._background

    @property
    def _going(self) -> list[ContinuedSession]:
        return [] if self._background is None else self._background.sessions

    # What is on the screen

    async def _next(self) -> None:
        """Show the next session that waits, if there is one."""
        self._put_away()
        while (one := self._queue.next(frozenset(self._seen))) is not None:
            number, of = len(self._seen) + 1, len(self._seen) + self._left
            try:
                shown = ShownSession.begin(one, number, of, shows_check=self._shows_check)
            except RecordingError as error:
                self._said = str(error)
                self._seen.add(one.id)
                self._queue.release(one)
            else:
                self._show(shown)
                break
        self.drawn()

    def _show(self, shown: ShownSession) -> None:
        try:
            text = self._queue.draft(shown.waiting, shown.task.sha256)
        except RecordingError as error:
            text, self._said = "", str(error)
        self._buffer.text = text
        self._buffer.cursor_position = len(text)
        self._shown = shown
        if self._is_drawn:
            self._guard.begin(self._read(shown))

    @property
    def _left(self) -> int:
        return sum(one.id not in self._seen for one in self._queue.waiting)

    async def _begin_reading(self) -> None:
        if self._shown is not None:
            await self._read(self._shown)
        await self._begin_work()
        self.drawn()

    async def _read(self, shown: ShownSession) -> None:
        try:
            await in_thread(shown.read)
        except Exception:
            if shown is self._shown:  # else its files were closed meanwhile
                raise
        self.drawn()

    def _put_away(self) -> None:
        if (one := self._shown) is not None:
            self._shown = None
            self._buffer.text = ""
            one.close()
            with suppress(SiiError):  # its lease ends by itself
                self._queue.release(one.waiting)

    def _was_drawn(self) -> None:
        if not self._is_drawn:  # not before: the first frame would wait for what is imported
            self._is_drawn = True
            self._guard.begin(self._begin_reading())
        if self._shown is not None and self._shown.reviewing is not None:
            self._shown.is_seen = True

    async def _keep_up(self) -> None:
        """Keep what is shown, and look for more while nothing is."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN if self._shown is None else _HEARTBEAT)
            await self._guard.wait(self._look() if self._shown is None else self._stay(self._shown))

    async def _stay(self, shown: ShownSession) -> None:
        """Renew the lease of what is shown, which may have ended while the machine slept."""
        is_held = await in_thread(self._queue.take, shown.waiting)  # others may hold the file
        if shown is not self._shown:
            self._queue.release(shown.waiting)
        elif not is_held:
            self._said = "another person reads this session, too: the first reply is taken"
            self.drawn()

    async def _look(self) -> None:
        """Look for what waits, and show it where nothing is shown."""
        self._queue.sort(await in_thread(self._queue.find))
        if self._shown is None and not self._is_busy:
            await self._next()
        self.drawn()

    def _ended(self, waiting: WaitingSession, how: Ending, why: str) -> None:
        name = waiting.name
        self._said = f"{name} has answered" if how == "answered" else f"{name}: {why or how}"
        self._seen.discard(waiting.id)
        if self._leaving == "ask" and not self._going:
            self._leaving = ""
        self._guard.begin(self._look())

    def _say(self, text: str) -> None:
        self._said = text

    # What keys do

    def act(self, act: Callable[[], None]) -> None:
        """Do what a key asks for, and have the screen drawn again."""
        self._guard.act(act)
        self.drawn()

    @property
    def ready(self) -> Reviewing | None:
        """The session that keys act on, or `None` before it was seen."""
        return self._shown.reviewing if self._shown and self._shown.is_seen else None

    @property
    def is_typing(self) -> bool:
        """Whether the input line has the keys."""
        return self._app.layout.has_focus(self._buffer) and not self._leaving

    @property
    def is_leaving(self) -> bool:
        """Whether the question is asked how to leave, or the inbox is being left."""
        return bool(self._leaving)

    def scroll(self, rows: int = 0, pages: float = 0.0) -> None:
        """Scroll what is beside the outline."""
        if self._shown is not None and (one := self._shown.opened) is not None:
            one.pane.scroll(one.reviewing, self._height, rows, pages)

    def toggle_folds(self) -> None:
        """Open what is folded, or fold it again."""
        if self._shown is not None and (one := self._shown.opened) is not None:
            one.reviewing.toggle_folds(one.pane.foldable)

    def toggle_outline(self) -> None:
        """Show the outline instead, in a narrow window."""
        if self._shown is not None:
            self._shown.outline_instead = not self._shown.outline_instead

    def type(self, text: str = "") -> None:
        """Give the keys to the input line."""
        if self.ready is not None and not self._is_busy:
            self._said = ""
            self._app.layout.focus(self._buffer)
            self._buffer.insert_text(text)

    def read_on(self) -> None:
        """Take the keys from the input line; what is typed stays."""
        self._app.layout.focus(self._body)

    def new_line(self) -> None:
        """Begin another line of the reply."""
        self._buffer.insert_text("\n")

    def send(self) -> None:
        """Send what is typed."""
        text = without_surrogates(self._buffer.text.strip())
        if not text or self._shown is None or self._is_busy:
            return
        self._is_busy = True
        self.read_on()
        self._guard.begin(self._send(self._shown, text))

    def skip(self) -> None:
        """Put the session at the end of the inbox."""
        if (one := self._shown) is not None:
            self._queue.skip(one.waiting)
            self._seen.add(one.waiting.id)
            self._guard.begin(self._next())

    def leave(self, how: str = "") -> None:
        """Leave: at once where nothing goes on; else `how` answers the question."""
        match self._leaving, how:
            case "ask", "escape":
                self._leaving = ""
            case "ask", "w":
                self._leave("wait")
            case "ask", "l":
                if self._background is not None:
                    self._background.suspend()
                self._leave("stop")
            case (("wait" | "stop"), "l"):
                self._exit()
            case "", _ if self._going:
                self._leaving = "ask"
            case "", _:
                self._exit()

    def _leave(self, how: Leaving) -> None:
        self._leaving = how
        self._guard.begin(self._exit_when_done())

    async def _exit_when_done(self) -> None:
        if self._background is not None:
            await self._background.wait()
        self._exit()

    def _exit(self) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    async def _send(self, shown: ShownSession, text: str) -> None:
        """Record what was typed, then show the next session."""
        try:
            self._said = await self._record(shown, text)
        finally:
            self._is_busy = False
        with suppress(RecordingError):  # a draft of what was before is not used any more
            self._queue.keep_draft(shown.waiting, shown.task.sha256, "")
        self._seen.add(shown.waiting.id)
        self._put_away()
        await self._look()

    async def _record(self, shown: ShownSession, text: str) -> str:
        """Record what was typed; return what is said of it. Raises `SiiError`, `RecordingError`."""
        from sii_cli.inbox.reply import record_done, record_reply

        folder, sha256 = shown.waiting.folder, shown.task.sha256
        match parse_answer(text):
            case "skip":
                self._queue.skip(shown.waiting)
                return ""
            case TaskVerdict(done, words):
                await in_thread(record_done, folder, done, words, self._settings, sha256)
                return f"{shown.waiting.name}: kept that it is {'' if done else 'not '}done"
            case "reply":
                await in_thread(record_reply, folder, text, self._settings, sha256)
                (await self._begin_work()).begin(shown.waiting)
                return ""

    def _keep_draft(self) -> None:
        if (one := self._shown) is not None:
            with suppress(RecordingError):
                self._queue.keep_draft(one.waiting, one.task.sha256, self._buffer.text)

    def drawn(self) -> None:
        """Have the screen drawn again."""
        if self._shown is not None and (one := self._shown.opened) is not None:
            if one.reviewing.said:
                self._said = one.reviewing.said
            if one.reviewing.view != "entry":
                self._guard.begin(self._read_diff(one))
        self._app.invalidate()

    async def _read_diff(self, one: OpenedItem) -> None:
        await one.pane.read_diff(one.reviewing)
        self._app.invalidate()

    # What is drawn

    def _layout(self) -> HSplit:
        self._body = Window(
            FormattedTextControl(self._rows, focusable=True, show_cursor=False),
            always_hide_cursor=True,
        )
        return inbox_layout(
            self._body,
            self._buffer,
            head=lambda: head(self._shown, self._columns),
            outline=self._outline_rows,
            status=self._status,
            foot=self._foot,
            has_outline=Condition(lambda: self._columns >= NARROW and self._shown is not None),
            has_line=Condition(lambda: self.is_typing or bool(self._buffer.text)),
        )

    @property
    def _columns(self) -> int:
        return self._app.output.get_size().columns

    @property
    def _height(self) -> int:
        typed = min(INPUT_ROWS, self._buffer.text.count("\n") + 1) if self._buffer.text else 0
        return max(1, self._app.output.get_size().rows - 3 - (typed or int(self.is_typing)))

    def _rows(self) -> ANSI | StyleAndTextTuples:
        if self._shown is None:
            return empty(self._going)
        return self._shown.rows(self._columns, self._height)

    def _outline_rows(self) -> StyleAndTextTuples:
        return [] if self._shown is None else self._shown.outline_rows(self._columns, self._height)

    def _status(self) -> StyleAndTextTuples:
        return status(self._going, self._said, self._columns)

    def _foot(self) -> StyleAndTextTuples:
        going = len(self._going)
        return foot(
            is_typing=self.is_typing, leaving=self._leaving, going=going, width=self._columns
        )


def _import_background() -> type[Background]:
    from sii_cli.inbox.background import Background

    return Background
