"""The interactive prompt: reads keys at once, and shows what waits below what happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from prompt_toolkit.application import in_terminal

from recordings.errors import RecordingError
from sii_cli.config.settings import find_key_home
from sii_cli.prompt.commands.registry import make_commands
from sii_cli.prompt.completion import make_completer
from sii_cli.prompt.files import FileList
from sii_cli.prompt.hint import FAILURE, Hint
from sii_cli.prompt.history import in_memory, open_history
from sii_cli.prompt.key_file import read_key_file, replace_keys
from sii_cli.prompt.keys import make_keys
from sii_cli.prompt.looks import Looks
from sii_cli.prompt.paste import Pastes, invalid_words
from sii_cli.prompt.permission_dialog import Choice
from sii_cli.prompt.question import KeyQuestions
from sii_cli.prompt.slash import KEYS
from sii_cli.prompt.surface import AskInTime
from sii_cli.prompt.terminal import MAX_PASTE, take_invalid
from sii_cli.prompt.view import View
from sii_cli.prompt.work import Begin, PromptWork, Resumes, Row

if TYPE_CHECKING:
    from sii_cli.session.resume import ResumedRecording

TOO_LONG = (
    f"The paste has more than {MAX_PASTE:,} characters and was left out: save it as a file, and "
    "name that with @."
)


class InteractivePrompt(PromptWork):
    """What keys do (`KeyActions`)."""

    def __init__(self, begin: Begin, resumer: Resumes) -> None:
        commands = make_commands(KEYS)
        self._pastes = Pastes()
        self._files = FileList()
        self._view = View(open_history(), make_completer(commands, self._files))
        super().__init__(begin, resumer, self._view, commands)
        self._hint = Hint(self._view)
        self._view.waiting = self._rows_waiting
        self._questions = KeyQuestions(self._view)
        keys = make_keys(self, Looks(self._view, self._hint, lambda: self._session))
        self._view.app.key_bindings = replace_keys(keys, read_key_file(find_key_home(os.environ)))
        self._view.status = [("class:dim", "  starting")]

    async def _read(self) -> None:
        await self._view.app.run_async()

    # What keys do

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
        if self._view.dialog.take_line():
            return
        if self.gives_reason:
            self._view.dialog.refuse(self._pastes.expand(self._view.input.text))
            return
        if text := self._take_line():
            self._accept(text)

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

    def cancel(self) -> None:
        """Clear the input; on an empty one, leave when asked twice."""
        if not self.empty:
            self._view.input.reset()
        elif self._hint.is_second("Ctrl-C again leaves."):
            self.leave()
        self._view.refresh()

    def leave(self) -> None:
        """End the prompt."""
        if self._view.app.is_running and not self._view.app.is_done:
            self._view.app.exit()

    @property
    def asked(self) -> bool:
        """Whether a question about a call waits whose keys are meant for it by now."""
        return self._view.dialog.takes_keys

    @property
    def gives_reason(self) -> bool:
        """Whether the line takes the reason of a refusal."""
        return self._view.dialog.wants_words

    def type_digit(self, choice: Choice) -> None:
        """Put a digit on the line, which answers the question when it stays alone."""
        self._view.dialog.type_digit(choice)

    def choose(self, choice: Choice) -> None:
        """Answer the question about a call."""
        self._view.dialog.choose(choice)

    def give_up_reason(self) -> None:
        """Return from the reason of a refusal to the question."""
        self._view.dialog.give_up_words()

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
        if count := take_invalid(self._view.app.input):
            self._hint.show(invalid_words(count), FAILURE)

    # Questions

    @property
    def asking(self) -> bool:
        """Whether a question waits for a key."""
        return self._questions.is_open

    def answer(self, key: str) -> bool:
        """Answer the question with a key; return whether the key was meant for it."""
        return self._questions.answer(key)

    @property
    def _ask_in_time(self) -> AskInTime:
        return self._questions.ask_in_time

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one key answers; `None` when it is skipped. The line is kept."""
        return await self._questions.ask(text, keys)

    async def pick(self, title: str, rows: Sequence[Row]) -> str | None:
        """Let the user pick one of (key, line, preview); return its key, or `None`."""
        picker = import_module("sii_cli.prompt.picker")
        choices = [picker.PickerRow(*row) for row in rows]
        async with in_terminal():
            row = await picker.Picker(title, picker.rows_of(choices)).run()
        return None if row is None else str(row.key)

    # The line

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

    def put_back(self, text: str) -> None:
        """Put a text on the line, before what is typed there."""
        line, text = self._view.input, self._pastes.fold(text)
        line.text = f"{text}\n{line.text}" if line.text else text
        line.cursor_position = len(line.text)

    def _rows_waiting(self) -> Iterator[tuple[str, str]]:
        waiting = self._session.waiting if self._session else ()
        self._waiting.steers = [one for one in waiting if one.delivery == "steer"]
        return self._waiting.rows()

    async def _go_on(self, resumed: ResumedRecording | None) -> None:
        self._files.open(self.session.workspace)
        await super()._go_on(resumed)
