"""What is typed at the prompt, done in order: opens the session in the background, queues input."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import click

from recordings.errors import RecordingError
from recordings.store.summary import has_open_round
from sii_cli.errors import DONE, explain
from sii_cli.prompt.command_runner import CommandRunner
from sii_cli.prompt.commands.own import slash_command
from sii_cli.prompt.own_commands import find_own_commands
from sii_cli.prompt.paste import attaches
from sii_cli.prompt.slash import NotDone, SlashCommands, shell_command
from sii_cli.prompt.surface import AskInTime, PromptSurface
from sii_cli.prompt.waiting import WaitingInput

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession
    from sii_cli.session.resume import ResumedRecording

Row = tuple[str, str, str]
"""(key, line, preview) of a list."""
Begin = Callable[[], Awaitable["tuple[Mapping[str, Any], ResumedRecording | None]"]]
"""Finds the session that the prompt begins with: options, and the recording that is resumed."""
WHETHER_DONE = "Is the task done? y yes · n no · Enter skips"


class Resumes(Protocol):
    """Finds recordings to resume."""

    async def resume(self, ref: str) -> tuple[Mapping[str, Any], ResumedRecording] | None:
        """Return options and a recording, by its id; the user chooses where that is empty."""
        ...

    async def choices(self) -> Sequence[Row]:
        """Return the recordings that can be chosen."""
        ...


class PromptWork(ABC):
    """What commands act on (`SlashPrompt`), and the queue of input; a prompt adds how it is typed.

    `surface` is what the sessions are shown on.
    """

    def __init__(
        self, begin: Begin, resumer: Resumes, surface: PromptSurface, commands: SlashCommands
    ) -> None:
        self._begin = begin
        self._resumer = resumer
        self._surface = surface
        self._waiting = WaitingInput()
        self._typed = asyncio.Event()
        self._hurried = asyncio.Event()
        """Set once a signal asked to stop: leaving then takes seconds."""
        self._session: PromptSession | None = None
        self._failure: BaseException | None = None
        self._commands = commands
        self._runner = CommandRunner(self, self._commands, self._worker_ended)

    async def run(self) -> int:
        """Read what is typed until the user leaves; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        worker = asyncio.create_task(self._work())
        worker.add_done_callback(self._worker_ended)
        try:
            with suppress(EOFError, OSError):  # the terminal may be gone
                await self._read()
        finally:
            loop.add_signal_handler(signal.SIGINT, self._stop)
            recorded = await self._close(worker)
        with suppress(OSError):
            self._say_goodbye(recorded)
        if self._failure is not None:
            raise self._failure
        return DONE

    @abstractmethod
    async def _read(self) -> None:
        """Read what is typed until the user leaves."""

    async def _close(self, worker: asyncio.Task[None]) -> str | None:
        """End the session; return its id when it was recorded."""
        worker.cancel()
        await asyncio.wait([worker])
        if self._session is None:
            return None
        recorded = self._session.recorded
        await self._session.close(self._hurried)
        return recorded

    def _say_goodbye(self, recorded: str | None) -> None:
        click.echo(self._surface.take_above(), nl=False, color=True)
        if recorded is not None:
            click.echo(f"\nRecorded: sii replay {recorded} (or `last`) plays it.")

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        return self._session is not None and self._session.busy

    def interrupt(self) -> None:
        """Interrupt the running round."""
        if self._session is not None:
            self._session.interrupt()

    @property
    def session(self) -> PromptSession:
        """The open session; commands that need one run once there is one."""
        assert self._session is not None
        return self._session

    @property
    def is_open(self) -> bool:
        """Whether there is a session yet."""
        return self._session is not None

    @property
    def commands(self) -> SlashCommands:
        """The commands that can be given."""
        return self._commands

    def exit(self) -> None:
        """Leave as `/exit` does."""
        self._runner.run_at_once("/exit")

    @abstractmethod
    def leave(self) -> None:
        """End the prompt."""

    def _stop(self) -> None:
        """End the prompt, also one that is being left, without waiting for the last snapshot."""
        self._hurried.set()
        self.leave()

    # Questions

    @property
    @abstractmethod
    def asking(self) -> bool:
        """Whether a question waits for its answer."""

    @abstractmethod
    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one key answers; `None` when it is skipped."""

    @property
    @abstractmethod
    def _ask_in_time(self) -> AskInTime:
        """Asks such a question for so many seconds."""

    @abstractmethod
    async def pick(self, title: str, rows: Sequence[Row]) -> str | None:
        """Let the user pick one of (key, line, preview); return its key, or `None`."""

    @abstractmethod
    def put_back(self, text: str) -> None:
        """Give the user a text back that was not sent."""

    async def ask_whether_done(self) -> None:
        """Ask once, at the end of a session that did something, whether its task is done."""
        session = self._session
        if session is None or not session.sign_off.asks_whether_done or self.asking:
            return
        answer = await self.ask(WHETHER_DONE, "yn")
        if answer is not None:
            await session.sign_off.end_task(answer == "y")

    # What is typed, in order

    async def _work(self) -> None:
        module = await asyncio.to_thread(import_module, "sii_cli.prompt.session")
        flags, resumed = await self._begin()
        self._session = await module.PromptSession.open(self._surface, flags, resumed)
        assert self._session is not None
        self._session.summaries.ask = self._ask_in_time
        await self._session.ask_consent(self.ask)
        await self._go_on(resumed)
        while True:
            self._take_returned()
            await self._wait_for_input()
            queued = self._waiting.next()
            text = queued.text
            self._surface.refresh()
            if queued.pending is not None:  # it waited as a message, whatever it looks like
                await self._session.send(text, queued.pending)
            elif self._commands.is_command(text):
                await self._runner.run(text)
            elif shell := shell_command(text):
                command, is_told = shell
                await self._session.run_command(command, told=is_told)
            else:
                await self._session.send(text)

    async def _wait_for_input(self) -> None:
        while not self._waiting:
            self._typed.clear()
            await self._typed.wait()

    def _accept(self, text: str) -> None:
        """Do what was typed: a command, or a message that is sent after those before it."""
        if not self._runner.run_at_once(text) and not self._let_wait(text, steer=True):
            self._enqueue(text)

    def _let_wait(self, text: str, *, steer: bool) -> bool:
        """Record a message that waits while a round runs; return whether it was recorded."""
        session = self._session.steerable if self._session else None
        if session is None or self._commands.is_command(text) or shell_command(text):
            return False
        if attaches(text):  # it is read when it is sent
            return False
        try:
            if steer:
                session.steer(text)
            else:
                self._waiting.add(text, session.queue(text))
        except RecordingError:  # the round ends with it; the message is sent after it
            return False
        self._surface.refresh()
        return True

    def _enqueue(self, text: str) -> None:
        self._waiting.add(text)
        self._surface.refresh()
        self._typed.set()

    def _take_returned(self) -> None:
        """Give the messages back that a round without an answer returned."""
        returned = self.session.take_returned()
        self._waiting.remove_returned(returned)
        self._waiting.adopt(self.session.waiting)
        if returned:
            self.put_back("\n".join(one.text for one in returned))
        self._surface.refresh()

    async def _go_on(self, resumed: ResumedRecording | None) -> None:
        """Begin with an open session, and continue the round that its recording left open."""
        for own in find_own_commands(self.session.key_home, self.session.workspace):
            self._commands.add(own.name, slash_command(own))
        if resumed is None:
            return
        if await asyncio.to_thread(has_open_round, resumed.folder):
            await self.session.resume_round()
        elif resumed.returned:
            self.put_back("\n".join(resumed.returned))

    async def resume(self, ref: str) -> None:
        """Resume another session, which is chosen where `ref` is empty. Raises `NotDone`."""
        try:
            async with self._surface.lent():
                found = await self._resumer.resume(ref)
            if found is None:
                return
            flags, resumed = found
            await self.session.resume(flags, resumed)
        except Exception as error:
            known = explain(error)
            if known is None:
                raise
            raise NotDone(str(known)) from error
        await self._go_on(resumed)

    def _worker_ended(self, worker: asyncio.Future[None]) -> None:
        """End the prompt after a fault, which is shown once the terminal is restored."""
        if not worker.cancelled() and worker.exception() is not None:
            self._failure = worker.exception()
            self.leave()
