"""Reads commands at the prompt, `/help` and the like, and the words behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sii_cli.errors import SiiError

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession

KEYS = {
    "Enter": "send; while a round runs: the model reads it after the running step",
    "Alt-Enter": "while a round runs: send after it; else: new line",
    "Alt-Up": "take back what was sent last and still waits",
    "Esc Esc": "on an empty line: go back to before one of your messages",
    "Ctrl-J": "new line",
    "Esc, Ctrl-C": "interrupt the round; what was done is kept",
    "Ctrl-C": "clear the line; twice on an empty one: leave",
    "Ctrl-D": "leave",
    "@, @@": "name a file or a folder of the workspace; @@ attaches the file, or #20-45 of it",
    "Tab, Up, Down": "choose what completes the line; Enter takes a chosen file and sends nothing",
    "!CMD, !!CMD": "run a command in the sandbox; with !! the model does not read of it",
    "Up, Ctrl-R": "recall, search the history",
    "Ctrl-T, Ctrl-O": "next panel (todos, jobs, changes); show what is folded",
    "Ctrl-G, Ctrl-Z": "edit the line in $EDITOR; suspend",
    "Shift-Tab": "ask before calls that may change something, or permit them (auto)",
}


def shell_command(text: str) -> tuple[str, bool] | None:
    """Return the command of a line that begins with `!`, and whether the model reads of it."""
    if not text.startswith("!"):
        return None
    is_told = not text.startswith("!!")
    command = text[1 if is_told else 2 :].strip()
    return (command, is_told) if command else None


class NotDone(SiiError):
    """Raised when a command cannot do what was asked; the prompt shows why."""


class SlashPrompt(Protocol):
    """The prompt, as commands see it."""

    @property
    def session(self) -> PromptSession:
        """The open session."""
        ...

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one key answers; `None` when it is skipped."""
        ...

    async def pick(self, title: str, rows: Sequence[tuple[str, str, str]]) -> str | None:
        """Let the user pick one of (key, line, preview); return its key, or `None`."""
        ...

    def put_back(self, text: str) -> None:
        """Put a text on the line, before what is typed there."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether there is a session yet."""
        ...

    @property
    def commands(self) -> SlashCommands:
        """The commands that can be given."""
        ...

    async def ask_whether_done(self) -> None:
        """Ask once, at the end of a session that did something, whether its task is done."""
        ...

    async def resume(self, ref: str) -> None:
        """Resume another session, which is chosen where `ref` is empty. Raises `NotDone`."""
        ...

    def leave(self) -> None:
        """End the prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """What a command accepts behind its name."""

    takes: str
    """For the message that refuses others: "a number of steps"."""
    accepts: Callable[[str], bool] = bool
    """Given the words, or an empty text."""


NOTHING = Words("nothing", lambda words: not words)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command at the prompt."""

    help: str
    run: Callable[[SlashPrompt, str], Awaitable[None] | None]
    """Does it, with the words behind its name. What it returns is awaited between rounds, or
    beside them when it is done `at_once`. `NotDone` is shown as a sentence."""
    words: Words = NOTHING
    at_once: bool = False
    """It does not wait for the round's end."""
    needs_session: bool = True
    """It waits until the session is open."""


@dataclass(frozen=True, slots=True)
class GivenCommand:
    """A command as it was typed."""

    command: SlashCommand
    words: str


class SlashCommands:
    """The commands of a prompt, by name."""

    def __init__(self, commands: Mapping[str, SlashCommand], keys: Mapping[str, str]) -> None:
        """`keys` are what `/help` shows before the commands: keys, and what each does."""
        self._commands = dict(commands)
        self._keys = keys

    def add(self, name: str, command: SlashCommand) -> None:
        """Add a command, unless there is one of that name."""
        self._commands.setdefault(name, command)

    def find(self, text: str) -> GivenCommand | None:
        """Return the command of a line, also by a prefix that is unique; words other than a number
        only follow a whole name.
        """
        if not text.startswith("/") and text.strip() != "?":
            return None
        name, words = _split(text)
        command = self._commands.get(name)
        if command is None and len(name) > 1 and (not words or is_number(words)):
            found = [one for known, one in self._commands.items() if known.startswith(name)]
            command = found[0] if len(found) == 1 else None
        if command is None or not command.words.accepts(words):
            return None
        return GivenCommand(command, words)

    def is_command(self, text: str) -> bool:
        """Return whether a line is meant as a command: a slash, a word, perhaps a number; also a
        known command followed by something else. `/etc/hosts` is not.
        """
        name, words = _split(text)
        if name in self._commands:
            return True
        return name.startswith("/") and name[1:].isalpha() and (not words or is_number(words))

    def refusal(self, text: str) -> str:
        """Return the message for a line that is meant as a command and is not one."""
        name, _ = _split(text)
        if name not in self._commands:
            return f"There is no command {text.strip()}; there are {', '.join(self._commands)}."
        takes = self._commands[name].words.takes
        return f"Not done: {name} takes {takes} behind it. It was not sent to the model either."

    def help_rows(self) -> list[tuple[str, str]]:
        """Return what `/help` shows: keys and commands, and what each does."""
        commands = ((name, command.help) for name, command in self._commands.items())
        return [*self._keys.items(), ("", ""), *commands]

    def beginning_with(self, text: str) -> Iterator[tuple[str, SlashCommand]]:
        """Yield the commands, by name, that a line may become."""
        for name, command in self._commands.items():
            if name.startswith(text) and name != text:
                yield name, command


def is_number(words: str) -> bool:
    """Return whether the words are a number of at most nine digits."""
    return words.isdecimal() and len(words) < 10


def _split(text: str) -> tuple[str, str]:
    """Return the first word of a line and what follows it."""
    name, *rest = text.split(maxsplit=1) or [""]
    if text.strip() == "?":
        name = "/help"
    return name, rest[0].strip() if rest else ""
