"""The session behind the prompt: opened in the background, its rounds drawn as they run.

Slow to import (rich, pydantic, the model's client): the prompt does so once its line is live.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from recordings.conversation.last_round import last_round
from recordings.conversation.pending import Pending
from recordings.errors import RecordingError
from sii_cli.agent.context.budget import Fill, context_length
from sii_cli.agent.permissions import MODES, CallQuestion, HumanAnswer
from sii_cli.assembly import start_debug_log
from sii_cli.config.homes import home_words
from sii_cli.config.load import load_settings
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel
from sii_cli.prompt.consent import Ask, ask_consent
from sii_cli.prompt.drawing import Drawing
from sii_cli.prompt.forgetting import delete, what_goes
from sii_cli.prompt.going_back import GoingBack
from sii_cli.prompt.model_choice import ModelChoice
from sii_cli.prompt.panel import Tab
from sii_cli.prompt.readiness import Readiness
from sii_cli.prompt.signing_off import SigningOff
from sii_cli.prompt.slash import NotDone
from sii_cli.prompt.status import StyledText, status_bar, status_rows
from sii_cli.prompt.summary_review import SummaryReview
from sii_cli.prompt.surface import PromptSurface
from sii_cli.render.activity import FRAME, Activity
from sii_cli.session.attachments import attached_files
from sii_cli.session.fits import MessageTooLong
from sii_cli.session.permissions import make_permissions
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from sii_cli.text.sanitise import one_line

T = TypeVar("T")
WAITING = "waiting for the server"
LONG = 20_000
"""Characters of a message whose tokens are counted before it is sent."""
LONG_ROUND = 10.0
"""Seconds of a round whose end rings."""
LOST = " Your message was not answered: Up recalls it."


class PromptSession:
    """Sessions at the prompt, one at a time."""

    def __init__(self, view: PromptSurface, settings: Settings) -> None:
        self._view = view
        self.settings = settings
        """Those in force."""
        self._drawing = Drawing(view, fold_thoughts=not settings.show_thinking)
        self.panel = self._drawing.panel
        view.panel = self._panel_rows
        self._session: Session | None = None
        self._round: asyncio.Task[None] | None = None
        self._readiness = Readiness(
            partial(self.say, style="yellow"), self._show_status, self._served
        )
        self.back = GoingBack(self)
        self.sign_off = SigningOff(self)
        self.choice = ModelChoice(self)
        self.summaries = SummaryReview(view, self.say)
        self.permissions = make_permissions(settings, self._ask_about_call, settings.permissions)
        self._unsent: list[Pending] = []
        self._departs: list[str] = []
        """What differs from the collection's pins."""

    @classmethod
    async def open(
        cls, view: PromptSurface, flags: Mapping[str, Any], resumed: ResumedRecording | None
    ) -> PromptSession:
        """Read the settings and open the first session. Raises `UsageError`."""
        opened = cls(view, await asyncio.to_thread(load_settings, flags, os.environ))
        start_debug_log(opened.settings)
        view.edit_as(opened.settings.editing)
        opened.say(*opened.settings.notes, style="yellow")
        try:
            await opened.new(resumed)
        except BaseException:
            await opened.close()
            raise
        return opened

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        return self._round is not None

    @property
    def opened(self) -> Session | None:
        """The open session."""
        return self._session

    @property
    def steps(self) -> int:
        """Steps of the session."""
        return self._drawing.activity.steps

    @property
    def activity(self) -> Activity:
        """What the session does, and how full its context is."""
        return self._drawing.activity

    @property
    def workspace(self) -> Path:
        """The directory that the model works in."""
        return self.settings.workspace

    @property
    def model(self) -> str:
        """Name of the session's model; empty before the server answered."""
        return self._readiness.model

    def model_changed(self, session: Session, served: ServedModel) -> None:
        """Show the model that the session continues with, also in later sessions."""
        self.settings = session.settings
        self._readiness.answered(session, served)

    @property
    def recorded(self) -> str | None:
        """Id of the session, once there is a recording."""
        return self._session.id if self._session else None

    @property
    def folder(self) -> Path | None:
        """The recording's, once there is one."""
        return self._session.folder if self._session else None

    async def new(self, resumed: ResumedRecording | None = None) -> None:
        """Open a session instead of the one before; `resumed` is a recording to continue."""
        await self.close()
        self._drawing.begin_session()
        self.sign_off.said_up_to(0)
        self.permissions = make_permissions(
            self.settings, self._ask_about_call, self.permissions.mode
        )
        self._session = await Session.open(
            self.settings,
            mode="interactive",
            resumed=resumed,
            permit=self.permissions,
            review=self.summaries,
        )
        if resumed is not None:
            await self._show_last_round(resumed.folder)
        self._session.watch_ports(self._port_opened)
        self._readiness.watch(self._session)
        self._show_status()

    async def resume(self, flags: Mapping[str, Any], resumed: ResumedRecording) -> None:
        """Open a recorded session instead of the one before. Raises `UsageError`."""
        self.settings = await asyncio.to_thread(load_settings, flags, os.environ)
        await self.new(resumed)

    @property
    def key_home(self) -> Path:
        """The user's home, which keeps what they allowed."""
        return self.settings.key_home or self.settings.home

    async def _show_last_round(self, folder: Path) -> None:
        """Show what was last, as it was, and how full the context is."""
        last = await asyncio.to_thread(last_round, folder)
        name = folder.name
        self.say(f"Resumed {name}; `sii show {name}{home_words()}` shows all of it.")
        await self._drawing.show_last(last)
        self.sign_off.said_up_to(last.steps)

    async def send(
        self, text: str, pending: Pending | None = None, typed: str | None = None
    ) -> None:
        """Run one round to its end or an interrupt; `pending` is the message where it waited,
        `typed` what a command of the user's own made it of.
        """
        assert self._session is not None
        try:
            attached = await asyncio.to_thread(attached_files, text, self.settings.workspace)
            if len(text) > LONG and self._readiness.is_answered:
                await self._session.check_fits(text)
        except MessageTooLong as error:
            self.say(f"Not sent: {error}", style="yellow")
            self._unsent.append(Pending(text, "queued", time.time()))
            return
        except UsageError as error:
            self.say(f"Not sent (Up recalls it): {error}", style="yellow")
            return
        sending = self._session.send(text, pending=pending, attached=attached, typed=typed)
        await self._run_round(self._drawing.draw(self._readiness.once_served(sending), LOST))

    async def resume_round(self) -> None:
        """Run the round that the recording left open."""
        assert self._session is not None
        await self._run_round(self._drawing.draw(self._session.resume_round(), LOST))

    async def compact(self, focus: str = "") -> None:
        """Compact the session, between rounds; `focus` says what the summary should keep."""
        assert self._session is not None
        await self._run_round(self._drawing.draw(self._session.compact(focus)))

    async def run_command(self, command: str, *, told: bool) -> None:
        """Run a command of the human in the session's shell."""
        assert self._session is not None
        running = self._drawing.draw(self._session.run_command(command, told=told))
        await self._run_round(running, "running your command")

    async def _run_round(self, work: Coroutine[Any, Any, None], what: str = WAITING) -> None:
        self._drawing.begin_round(what)
        self._round = asyncio.create_task(work)
        spinner = asyncio.create_task(self._spin())
        try:
            await asyncio.wait([self._round])
        except asyncio.CancelledError:  # the prompt is being left
            self.interrupt()
            await asyncio.wait([self._round])
            raise
        finally:
            spinner.cancel()
            if self.settings.bell and self._drawing.activity.seconds >= LONG_ROUND:
                self._view.alert("sii: the round has ended")
            running, self._round = self._round, None
            self._drawing.end_round(self.recorded)
            self._show_status()
        with suppress(asyncio.CancelledError):
            await running

    @property
    def is_off(self) -> bool:
        """Whether the session is not recorded any more."""
        return self._session is not None and self._session.is_off

    async def end_recording(self) -> None:
        """End the recording after the running step. Raises `NotDone`."""
        try:
            assert self._session is not None
            await self._session.end_recording()
        except (UsageError, RecordingError, ModelCallFailed) as error:
            raise NotDone(str(error)) from None
        when = "The running step is the last that is recorded." if self.busy else "Recording ended."
        self.say(f"{when} Nothing of what follows is kept; /new records again.", style="yellow")
        self._show_status()

    async def forget(self, ask: Ask, *, with_forks: bool) -> None:
        """Delete the recording after asking, and begin a new session. Raises `NotDone`."""
        folder = self._session.folder if self._session is not None else None
        going = await what_goes(folder, ask, with_forks=with_forks)
        if not going:
            self.say("Kept.")
            return
        await self.close()
        self.say(await delete(going))
        await self.new()

    async def ask_consent(self, ask: Ask) -> None:
        """Ask the speaker, once in a home, what may be done with the sessions."""
        await ask_consent(self.settings, ask, self.say)

    async def _ask_about_call(self, question: CallQuestion) -> HumanAnswer:
        return replace(await self._view.dialog.ask(question), speaker=self.settings.speaker)

    def next_mode(self) -> None:
        """Change to the next mode of permissions; it holds from the next call on."""
        at = MODES.index(self.permissions.mode) + 1
        self.permissions.mode = MODES[at % len(MODES)]
        self._show_status()

    @property
    def steerable(self) -> Session | None:
        """The session, while a round of it runs that can be steered."""
        return self._session if self._session is not None and self._session.in_round else None

    @property
    def waiting(self) -> Sequence[Pending]:
        """The messages that wait to be delivered."""
        return self._session.waiting if self._session else ()

    def take_back(self, pending: Pending) -> bool:
        """Take a message back that waits; return whether it was not delivered yet."""
        return self._session is not None and self._session.take_back(pending)

    def take_returned(self) -> Sequence[Pending]:
        """Return, once, the messages that were not sent, or came back from a round that ended
        without an answer.
        """
        unsent, self._unsent = self._unsent, []
        return [*unsent, *(self._session.take_returned() if self._session else ())]

    def interrupt(self) -> None:
        """Interrupt the running round; what was done is kept."""
        if self._round is None or self._session is None:
            return
        self._drawing.interrupt()
        if not self._session.can_interrupt:  # still waiting for the server: nothing to keep
            self._round.cancel()
        self._session.interrupt()

    async def status(self) -> None:
        """Print the session's status."""
        parts = await self._session.context_parts() if self._session is not None else {}
        facts = {
            "session": self.recorded or "begins with the first message",
            "recording": str(self.folder or "–"),
            "server": f"{self.settings.base_url} · {self._readiness.server[1]}",
            "model": self._readiness.model or "–",
            "sandbox": self._readiness.sandbox[1],
        }
        context = self._session.context if self._session else None
        self.say_rows(status_rows(self.settings, self._drawing.activity, facts, context, parts))

    def copy(self, text: str) -> None:
        """Put a text on the clipboard of the terminal. Raises `NotDone` where there is none."""
        self._view.copy(text)

    def say(self, *lines: str, style: str = "dim") -> None:
        """Print lines of sii."""
        self._drawing.say(*lines, style=style)

    def say_rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print rows of a name and a text; a long text is broken below itself."""
        self._drawing.say_rows(rows)

    async def close(self, hurried: asyncio.Event | None = None) -> None:
        """End the session, within seconds once `hurried` is set."""
        self._readiness.stop()
        if self._session is not None:
            session, self._session = self._session, None
            await session.close(hurried)

    async def _spin(self) -> None:
        while True:
            self._drawing.show_running()
            self._show_status()
            await asyncio.sleep(FRAME)

    def _served(self, session: Session, served: ServedModel) -> None:
        """Show what the server serves."""
        length = context_length(self.settings.context_length, served.context_length, None)
        self._drawing.activity.fill = Fill(self._drawing.activity.fill.used, length, exact=True)
        self._departs = session.departures
        self.say(*session.notes(served), style="yellow")

    def show_panel(self, tab: Tab | None) -> None:
        """Show a tab of the panel, or the next one."""
        if tab is None:
            self.panel.turn()
        else:
            self.panel.show(tab)
        self._view.panel_turned()

    def _panel_rows(self, width: int) -> Sequence[str]:
        jobs = self._session.jobs() if self._session else []
        return self.panel.rows(jobs, width)

    def _port_opened(self, job: int, port: int) -> None:
        """Say at once what is else drawn with the next round, and show the panel again."""
        if not self.busy:
            self._drawing.say_port(job, port)
        self._view.refresh()

    def _show_status(self) -> None:
        model = self._readiness.model or one_line(self.settings.model or self.settings.base_url, 60)
        context = self._session.context if self._session else None
        if context is not None and context.fill.used:  # before the first request: as recorded
            self._drawing.activity.fill = context.fill
        bar = status_bar(
            self._view.size.columns,
            model,
            self._readiness.states(),
            self._marks(),
            self._drawing.activity.tokens,
            None if self.is_off else self.settings.home,
        )
        self._view.status = [*bar]
        self._view.refresh()

    def _marks(self) -> Iterator[StyledText]:
        """Yield what is not as usual."""
        if self.permissions.mode == "ask":
            yield "warning", "asks before changes"
        if self.is_off:
            yield "warning", "○ not recorded"
        if self._departs:
            yield "error", f"departs: {', '.join(self._departs)}"
