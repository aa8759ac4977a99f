"""The interactive prompt: reads keys at once, opens the session in the background, queues input."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from prompt_toolkit.application import in_terminal

from recordings.errors import RecordingError
from recordings.store.summary import has_open_round
from sii_cli.config.settings import find_key_home
from sii_cli.errors import DONE, explain
from sii_cli.prompt.command_runner import CommandRunner
from sii_cli.prompt.commands.own import slash_command
from sii_cli.prompt.commands.registry import make_commands
from sii_cli.prompt.completion import make_completer
from sii_cli.prompt.files import FileList
from sii_cli.prompt.hint import FAILURE, Hint
from sii_cli.prompt.history import in_memory, open_history
from sii_cli.prompt.key_file import read_key_file, replace_keys
from sii_cli.prompt.keys import make_keys
from sii_cli.prompt.looks import Looks
from sii_cli.prompt.own_commands import find_own_commands
from sii_cli.prompt.paste import Pastes, attaches
from sii_cli.prompt.permission_dialog import Choice
from sii_cli.prompt.question import KeyQuestions
from sii_cli.prompt.slash import NotDone, SlashCommands, shell_command
from sii_cli.prompt.terminal import MAX_PASTE
from sii_cli.prompt.view import View
from sii_cli.prompt.waiting import WaitingInput

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession
    from sii_cli.session.resume import ResumedRecording

Begin = Callable[[], Awaitable["tuple[Mapping[str, Any], ResumedRecording | None]"]]
"""Finds the session that the prompt begins with: options, and the recording that is resumed."""
Resume = Callable[[str], Awaitable["tuple[Mapping[str, Any], ResumedRecording] | None"]]
"""Finds a recording to resume, by its id, or lets the user choose where that is empty."""
TOO_LONG = (
    f"The paste has more than {MAX_PASTE:,} characters and was left out: save it as a file, and "
    "name that with @."
)
WHETHER_DONE = "Is the task done? y yes · n no · Enter skips"


class InteractivePrompt:
    """What keys do (`KeyActions`), what commands act on (`SlashPrompt`), and the queue of input."""

    def __init__(self, begin: Begin, resume: Resume) -> None:
        self._begin = begin
        self._resume = resume
        self._pastes = Pastes()
        self._waiting = WaitingInput()
        self._typed = asyncio.Event()
        self._hurried = asyncio.Event()
        """Set once a signal asked to stop: leaving then takes seconds."""
        self._session: PromptSession | None = None
        self._failure: BaseException | None = None
        self._commands = make_commands()
        self._runner = CommandRunner(self, self._commands, self._worker_ended)
        self._files = FileList()
        completer = make_completer(self._commands, self._files)
        self._view = View(open_history(), completer)
        self._hint = Hint(self._view)
        self._view.waiting = self._rows_waiting
        self._questions = KeyQuestions(self._view)
        keys = make_keys(self, Looks(self._view, self._hint, lambda: self._session))
        self._view.app.key_bindings = replace_keys(keys, read_key_file(find_key_home(os.environ)))
        self._view.status = [("class:dim", "  starting")]

    async def run(self) -> int:
        """Read keys until the user leaves; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        worker = asyncio.create_task(self._work())
        worker.add_done_callback(self._worker_ended)
        try:
            with suppress(EOFError, OSError):  # the terminal may be gone
                await self._view.app.run_async()
        finally:
            loop.add_signal_handler(signal.SIGINT, self._stop)
            recorded = await self._close(worker)
        with suppress(OSError):
            self._say_goodbye(recorded)
        if self._failure is not None:
            raise self._failure
        return DONE

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
        click.echo(self._view.take_above(), nl=False, color=True)
        if recorded is not None:
            click.echo(f"\nRecorded: sii replay {recorded} (or `last`) plays it.")

    # What keys do

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        return self._session is not None and self._session.busy

    @property
    def typing(self) -> bool:
        """Whether keys go to the input line."""
        return self._view.app.layout.current_buffer is self._view.input

    @property
    def empty(self) -> bool:
        """Whether the input line is empty."""
        return not self._view.input.text

    def submit(self) -> None:
        """Accept the input: a command, or a message that is sent after those before it."""
        if self._session is not None and self._session.dialog.take_line():
            return
        if self.gives_reason:
            self.session.dialog.refuse(self._pastes.expand(self._view.input.text))
            return
        text = self._take_line()
        if not text:
            return
        if not self._runner.run_at_once(text) and not self._let_wait(text, steer=True):
            self._enqueue(text)

    def submit_later(self) -> None:
        """Accept the input for after the running round."""
        text = self._take_line()
        if text and not self._let_wait(text, steer=False):
            self._enqueue(text)

    def take_back(self) -> None:
        """Take what was sent last and still waits back into the line."""
        self._rows_waiting()
        last = self._waiting.last()
        if last is None:
            return
        try:
            still_waits = last.pending is None or self.session.take_back(last.pending)
        except RecordingError as error:
            self._hint.show(f"Not taken back: {error}", FAILURE)
            return
        if still_waits:
            self.put_back(last.text)
        self._waiting.remove(last)
        self._view.refresh()

    def go_back(self) -> None:
        """Go back to before one of the user's messages, when asked twice."""
        if self._hint.is_second("Esc again goes back to before a message."):
            self._enqueue("/rewind")

    def interrupt(self) -> None:
        """Interrupt the running round."""
        if self._session is not None:
            self._session.interrupt()

    def cancel(self) -> None:
        """Clear the input; on an empty one, leave when asked twice."""
        if not self.empty:
            self._view.input.reset()
        elif self._hint.is_second("Ctrl-C again leaves."):
            self.leave()
        self._view.refresh()

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

    def leave(self) -> None:
        """End the prompt."""
        if self._view.app.is_running and not self._view.app.is_done:
            self._view.app.exit()

    def _stop(self) -> None:
        """End the prompt, also one that is being left, without waiting for the last snapshot."""
        self._hurried.set()
        self.leave()

    @property
    def asked(self) -> bool:
        """Whether a question about a call waits whose keys are meant for it by now."""
        return self._session is not None and self._session.dialog.takes_keys

    @property
    def gives_reason(self) -> bool:
        """Whether the line takes the reason of a refusal."""
        return self._session is not None and self._session.dialog.wants_words

    def type_digit(self, choice: Choice) -> None:
        """Put a digit on the line, which answers the question when it stays alone."""
        self.session.dialog.type_digit(choice)

    def choose(self, choice: Choice) -> None:
        """Answer the question about a call."""
        self.session.dialog.choose(choice)

    def give_up_reason(self) -> None:
        """Return from the reason of a refusal to the question."""
        self.session.dialog.give_up_words()

    def next_mode(self) -> None:
        """Change to the next mode of permissions."""
        if self._session is not None:
            self._session.next_mode()

    def paste(self, text: str) -> None:
        """Put a paste on the input line, folded when it is long."""
        if len(text) > MAX_PASTE:
            self._hint.show(TOO_LONG, FAILURE)
            return
        self._view.input.insert_text(self._pastes.fold(text))

    # Questions

    @property
    def asking(self) -> bool:
        """Whether a question waits for a key."""
        return self._questions.is_open

    def answer(self, key: str) -> bool:
        """Answer the question with a key; return whether the key was meant for it."""
        return self._questions.answer(key)

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one key answers; `None` when it is skipped. The line is kept."""
        return await self._questions.ask(text, keys)

    async def pick(self, title: str, rows: Sequence[tuple[str, str, str]]) -> str | None:
        """Let the user pick one of (key, line, preview); return its key, or `None`."""
        picker = import_module("sii_cli.prompt.picker")
        choices = [picker.PickerRow(*row) for row in rows]
        async with in_terminal():
            row = await picker.Picker(title, picker.rows_of(choices)).run()
        return None if row is None else str(row.key)

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
        self._session = await module.PromptSession.open(self._view, flags, resumed)
        assert self._session is not None
        self._session.summaries.ask = self._questions.ask_in_time
        await self._session.ask_consent(self.ask)
        await self._go_on(resumed)
        while True:
            self._take_returned()
            while not self._waiting:
                self._typed.clear()
                await self._typed.wait()
            queued = self._waiting.next()
            text = queued.text
            self._view.refresh()
            if queued.pending is not None:  # it waited as a message, whatever it looks like
                await self._session.send(text, queued.pending)
            elif self._commands.is_command(text):
                await self._runner.run(text)
            elif shell := shell_command(text):
                command, is_told = shell
                await self._session.run_command(command, told=is_told)
            else:
                await self._session.send(text)

    # What waits

    def _take_line(self) -> str:
        """Return what the line says, empty for nothing, and clear it."""
        text = self._pastes.expand(self._view.input.text)
        if not text.strip():
            return ""
        if self._session is not None and self._session.is_off:
            self._view.input.history = in_memory(self._view.input.history)
        self._view.input.history.append_string(text)
        self._view.input.reset()
        return text

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
        self._view.refresh()
        return True

    def _enqueue(self, text: str) -> None:
        self._waiting.add(text)
        self._view.refresh()
        self._typed.set()

    def put_back(self, text: str) -> None:
        """Put a text on the line, before what is typed there."""
        line = self._view.input
        line.text = f"{text}\n{line.text}" if line.text else text
        line.cursor_position = len(line.text)

    def _take_returned(self) -> None:
        """Put the messages back on the line that a round without an answer returned."""
        returned = self.session.take_returned()
        self._waiting.remove_returned(returned)
        self._waiting.adopt(self.session.waiting)
        if returned:
            self.put_back("\n".join(one.text for one in returned))
        self._view.refresh()

    def _rows_waiting(self) -> Iterator[tuple[str, str]]:
        waiting = self._session.waiting if self._session else ()
        self._waiting.steers = [one for one in waiting if one.delivery == "steer"]
        return self._waiting.rows()

    async def _go_on(self, resumed: ResumedRecording | None) -> None:
        """Begin with an open session, and continue the round that its recording left open."""
        self._files.open(self.session.workspace)
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
            async with in_terminal():
                found = await self._resume(ref)
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
