"""Commands at the prompt: `/help` and the like."""

from __future__ import annotations

from collections.abc import Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

COMMANDS = {
    "/help": "show the keys and the commands",
    "/status": "show the session, the server, the sandbox and the tokens used",
    "/undo": "restore the workspace to before the last round (/undo N: the last N steps)",
    "/compact": "summarise the session now, to make room in the model's context",
    "/new": "begin a new session",
    "/exit": "leave",
}

WITH_NUMBER = ("/undo",)

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
    return command if number is None or command in WITH_NUMBER else None


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
    takes = "a number of steps" if name in WITH_NUMBER else "nothing"
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
    rows = [*KEYS.items(), ("", ""), *COMMANDS.items()]
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
        for name, what in COMMANDS.items():
            if name.startswith(text) and name != text:
                yield Completion(name, start_position=-len(text), display_meta=what)
