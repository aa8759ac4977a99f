"""Commands that users write themselves: Markdown files whose text is sent to the model.

`commands/NAME.md` of the home, and `.agents/commands/NAME.md` of the workspace, which may have come
from elsewhere: the user is asked once for each of its contents.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recordings.storage.opening import read_file

_NAME = re.compile(r"([a-z][a-z0-9_-]{0,40})\.md")
_LARGEST = 1 << 16
"""Bytes of a command's text."""
_MOST_LINES = 2000
_MOST_ARGUMENTS = 100
"""Places of a text at which words are put in: each may get a whole paste."""
_MOST = 200
"""Commands of a folder."""
_ARGUMENT = re.compile(r"\$(ARGUMENTS|[1-9])")


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command of the user, or of the workspace."""

    name: str
    """With its slash."""
    text: str
    of_workspace: bool

    @property
    def sha256(self) -> str:
        """Of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def help(self) -> str:
        """What `/help` shows: the first line of the text."""
        return self.text.lstrip("# \n").partition("\n")[0][:80]

    def sent(self, words: str) -> str:
        """Return the message for the words behind the name."""
        parts = words.split()

        def value(match: re.Match[str]) -> str:
            if match[1] == "ARGUMENTS":
                return words
            place = int(match[1]) - 1
            return parts[place] if place < len(parts) else ""

        return _ARGUMENT.sub(value, self.text)


def find_own_commands(home: Path, workspace: Path) -> Iterator[OwnCommand]:
    """Yield the commands of the home and of the workspace; what cannot be read is left out."""
    yield from _commands(home, ("commands",), of_workspace=False)
    yield from _commands(workspace, (".agents", "commands"), of_workspace=True)


def _commands(root: Path, parts: tuple[str, ...], *, of_workspace: bool) -> Iterator[OwnCommand]:
    with suppress(OSError):
        for file in sorted(os.listdir(root.joinpath(*parts)))[:_MOST]:
            if (name := _NAME.fullmatch(file)) is None:
                continue
            with suppress(OSError, UnicodeDecodeError):
                text = read_file(root, *parts, file, most=_LARGEST).decode().strip()
                if text and _is_within_limits(text):
                    yield OwnCommand(f"/{name[1]}", text, of_workspace)


def _is_within_limits(text: str) -> bool:
    """Return whether a text can be shown, and words put in, without a stall."""
    places = sum(1 for _ in _ARGUMENT.finditer(text))
    return text.count("\n") < _MOST_LINES and places <= _MOST_ARGUMENTS
