"""What a person types at a session that waits: a reply, or that it is done, or skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sii_cli.errors import UsageError
from sii_cli.session.done_words import parse_done


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """Whether the task is done: the session ends with that."""

    done: bool
    words: str


def parse_answer(text: str) -> TaskVerdict | Literal["skip", "reply"]:
    """Return what a text asks for; a path at its beginning is not a command.

    Raises `UsageError` for an unknown command.
    """
    word, *rest = text.split(maxsplit=1)
    if word == "/done":
        return TaskVerdict(*parse_done(" ".join(rest)))
    if word == "/skip":
        return "skip"
    if word.startswith("/") and "/" not in word[1:]:
        raise UsageError(f"There is no {word} here: /done, /done no, /skip, or a reply.")
    return "reply"
