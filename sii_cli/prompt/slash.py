"""Commands at the prompt: `/help` and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession


class SlashPrompt(Protocol):
    """The prompt, as commands see it."""

    @property
    def session(self) -> PromptSession:
        """The open session."""
        ...

    def leave(self) -> None:
        """End the prompt."""
        ...


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command at the prompt."""

    help: str
    run: Callable[[SlashPrompt, int | None], Awaitable[None] | None]
    """Does it, with the number that it was given. What it returns is awaited between rounds."""
    takes_number: bool = False
    at_once: bool = False
    """It does not wait for the round's end; `run` then returns nothing to await."""
    needs_session: bool = True
    """It waits until the session is open."""


def _help(prompt: SlashPrompt, number: int | None) -> None:
    prompt.session.say(*help_lines())


def _status(prompt: SlashPrompt, number: int | None) -> None:
    prompt.session.status()


async def _undo(prompt: SlashPrompt, number: int | None) -> None:
    await prompt.session.undo(number)


async def _compact(prompt: SlashPrompt, number: int | None) -> None:
    await prompt.session.compact()


async def _new(prompt: SlashPrompt, number: int | None) -> None:
    await prompt.session.new()
    prompt.session.say("A new session begins.")


def _exit(prompt: SlashPrompt, number: int | None) -> None:
    prompt.leave()


COMMANDS = {
    "/help": SlashCommand("show the keys and the commands", _help, at_once=True),
    "/status": SlashCommand(
        "show the session, the server, the sandbox and the tokens used", _status, at_once=True
    ),
    "/undo": SlashCommand(
        "restore the workspace to before the last round (/undo N: the last N steps)",
        _undo,
        takes_number=True,
    ),
    "/compact": SlashCommand(
        "summarise the session now, to make room in the model's context", _compact
    ),
    "/new": SlashCommand("begin a new session", _new),
    "/exit": SlashCommand("leave", _exit, at_once=True, needs_session=False),
}
"""A new command is a function, and an entry here."""

KEYS = {
    "Enter": "send; while a round runs: queue",
    "Ctrl-J, Alt-Enter": "new line",
    "Esc, Ctrl-C": "interrupt the round; what was done is kept",
    "Ctrl-C": "clear the line; twice on an empty one: leave",
    "Ctrl-D": "leave",
    "Up, Ctrl-R": "recall, search the history",
}


def find_command(text: str) -> str | None:
    """Return the command of a line, also by a prefix that is unique."""
    if not text.startswith("/") or "\n" in text:
        return None
    word, number = _split(text)
    found = [name for name in COMMANDS if len(word) > 1 and name.startswith(word)]
    command = word if word in COMMANDS else found[0] if len(found) == 1 else None
    if command is None or (number is not None and not COMMANDS[command].takes_number):
        return None
    return command


def number_of(text: str) -> int | None:
    """Return the number that a command was given."""
    return _split(text)[1]


def is_command(text: str) -> bool:
    """Return whether a line is meant as a command: a slash, a word, perhaps a number; also a known
    command followed by something else. `/etc/hosts` is not.
    """
    word, _ = _split(text)
    return (word.startswith("/") and word[1:].isalpha()) or _named(text) is not None


def refusal(text: str) -> str:
    """Return the message for a line that is meant as a command and is not one."""
    name = _named(text)
    if name is None:
        return f"There is no command {text.strip()}; there are {', '.join(COMMANDS)}."
    takes = "a number of steps" if COMMANDS[name].takes_number else "nothing"
    return f"Not done: {name} takes {takes} behind it. It was not sent to the model either."


def _named(text: str) -> str | None:
    """Return the command that a line begins with, written in full."""
    word, *_ = text.split(maxsplit=1) or [""]
    return word if word in COMMANDS and "\n" not in text.strip() else None


def _split(text: str) -> tuple[str, int | None]:
    word, _, rest = text.strip().partition(" ")
    return (
        (word, int(rest)) if rest.strip().isdecimal() and len(rest) < 10 else (text.strip(), None)
    )


def help_lines() -> list[str]:
    """Return what `/help` shows."""
    commands = ((name, command.help) for name, command in COMMANDS.items())
    rows = [*KEYS.items(), ("", ""), *commands]
    return [f"  {name:<18} {what}".rstrip() for name, what in rows]


class SlashCompleter(Completer):
    """Completes commands while a line has nothing else."""

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the commands that the line may become."""
        text = document.text
        if not text.startswith("/") or not document.is_cursor_at_the_end:
            return
        for name, command in COMMANDS.items():
            if name.startswith(text) and name != text:
                yield Completion(name, start_position=-len(text), display_meta=command.help)
