"""Questions that a typed line answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sii_cli.prompt.permission_dialog import GUARD
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.agent.permissions import CallQuestion, HumanAnswer
    from sii_cli.prompt.work import Row

Write = Callable[[str, Sequence[str]], None]
"""Prints lines after a word."""
Accept = Callable[[str], bool]
"""Whether a line is an answer."""
SHOWN = 0.05
"""Seconds after which the call that is asked about was printed."""
MOST = 30
"""Rows of a list that are printed."""
AGAIN = "That is not one of the answers."


class LineQuestions:
    """Asks one question at a time; the next line answers it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[str | None] | None = None
        self._accepts: Accept = bool
        self._asked = 0.0
        self._gives_way = False

    @property
    def is_open(self) -> bool:
        """Whether a question waits for a line."""
        return self._answer is not None and not self._answer.done()

    def take(self, line: str) -> bool:
        """Answer with a line; return whether it was meant for the question.

        A line that was on its way when the question was asked is not.
        """
        if self._answer is None or self._answer.done() or time.monotonic() - self._asked < GUARD:
            return False
        line = line.strip()
        if not line:
            self._answer.set_result(None)
        elif self._accepts(line):
            self._answer.set_result(line)
        elif self._gives_way:
            self._answer.set_result(None)
            return False
        else:
            self._write("Question", [AGAIN])
        return True

    def skip(self) -> None:
        """Leave the open question without an answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question that one letter answers; `None` when it is skipped."""
        return await self.ask_line(text.replace("Enter", "empty line"), _one_of(keys))

    async def ask_in_time(self, text: str, keys: str, seconds: int) -> str | None:
        """Ask so for some seconds; another line ends the question, and is a message."""
        text = f"{text.replace('Enter', 'empty line')} ({seconds} s)"
        with suppress(TimeoutError):
            return await asyncio.wait_for(
                self.ask_line(text, _one_of(keys), gives_way=True), seconds
            )
        return None

    async def ask_line(self, text: str, accepts: Accept, *, gives_way: bool = False) -> str | None:
        """Ask a question that a line answers."""
        async with self._turn:
            self._write("Question", [text])
            self._accepts, self._gives_way = accepts, gives_way
            self._asked = time.monotonic()
            self._answer = asyncio.get_running_loop().create_future()
            try:
                said = await self._answer
            finally:
                self._answer = None
        return said if said is None or len(said) > 1 else said.lower()

    async def pick(self, title: str, rows: Sequence[Row]) -> str | None:
        """Let the user pick one of (key, line, preview) by its number; return its key."""
        self._write("List", list_lines(title, rows))
        said = await self.ask_line(
            "Its number · empty line leaves", lambda line: chosen_row(rows, line) is not None
        )
        return None if said is None else chosen_row(rows, said)


class LineDialog:
    """Asks whether a call may run."""

    def __init__(self, questions: LineQuestions) -> None:
        self._questions = questions

    async def ask(self, question: CallQuestion) -> HumanAnswer:
        """Ask, and return what the human answers; a question without an answer is a no."""
        from sii_cli.agent.permissions import HumanAnswer

        await asyncio.sleep(SHOWN)
        about = "; ".join(one_line(text, 200) for text in question.about)
        asked = f"May {one_line(question.name, 40)} run: {about}".removesuffix(": ")
        grants = ", ".join(one_line(f"{one.tool}: {one.pattern}", 60) for one in question.grants)
        session = f" · 2 for this session ({grants})" if grants else ""
        keys = "1234" if grants else "134"
        text = f"{asked}? 1 once{session} · 3 no · 4 no, and why"
        answer = None
        while answer is None:  # an empty line permits and refuses nothing
            answer = await self._questions.ask_line(text, _one_of(keys))
        if answer == "4":
            words = await self._questions.ask_line("Why not? · empty line gives no reason", bool)
            return HumanAnswer("no", words)
        return HumanAnswer({"1": "once", "2": "session"}.get(answer, "no"))  # type: ignore[arg-type]


def list_lines(title: str, rows: Sequence[Row]) -> list[str]:
    """Return a list with numbers, under its title."""
    lines = [f"{number} {one_line(row[1], 200)}" for number, row in enumerate(rows[:MOST], 1)]
    more = [f"and {len(rows) - MOST} more"] if len(rows) > MOST else []
    return [title, *lines, *more]


def chosen_row(rows: Sequence[Row], line: str) -> str | None:
    """Return the key of the row with the number that was typed."""
    number = int(line) if line.isdecimal() and len(line) < 10 else 0
    return rows[number - 1][0] if 0 < number <= min(MOST, len(rows)) else None


def _one_of(keys: str) -> Accept:
    return lambda line: len(line) == 1 and line.lower() in keys
