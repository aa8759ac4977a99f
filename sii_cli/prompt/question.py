"""Questions at the prompt that one key answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sii_cli.prompt.view import View

SKIP = ("enter", "c-m", "c-j", "escape", "c-c", "c-d", "<sigint>")
"""Keys that leave a question without an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the keys that answer it."""

    text: str
    keys: str
    """One character for each answer."""
    gives_way: bool = False
    """Whether a key that means nothing here ends it; else such a key is ignored."""
    answered: asyncio.Future[str | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def press(self, key: str) -> bool:
        """Answer with a key; return whether it was meant for the question."""
        if self.answered.done():
            return True
        if key in SKIP:
            self.answered.set_result(None)
        elif key.lower() in self.keys:
            self.answered.set_result(key.lower())
        elif self.gives_way:
            self.answered.set_result(None)
            return False
        return True

    @property
    def answer(self) -> str | None:
        """The key, once it was pressed."""
        return self.answered.result() if self.answered.done() else None

    async def lines(self, seconds: int | None) -> AsyncGenerator[str, None]:
        """Yield what is shown until there is an answer, or so many seconds are over."""
        if seconds is None:
            yield self.text
            await self.answered
            return
        for left in range(seconds, 0, -1):
            yield f"{self.text} ({left} s)"
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.answered), 1)
                return


class KeyQuestions:
    """Asks one question at a time, above the line; what is typed there is kept."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._question: Question | None = None

    @property
    def is_open(self) -> bool:
        """Whether a question waits for a key."""
        return self._question is not None and not self._question.answered.done()

    def answer(self, key: str) -> bool:
        """Answer the question with a key; return whether the key was meant for it."""
        return self._question is not None and self._question.press(key)

    async def ask(self, text: str, keys: str) -> str | None:
        """Ask a question; return the key, or `None` when it is skipped."""
        return await self._ask(Question(text, keys), None)

    async def ask_in_time(self, text: str, keys: str, seconds: int) -> str | None:
        """Ask for so many seconds; another key ends the question, and is typed."""
        return await self._ask(Question(text, keys, gives_way=True), seconds)

    async def _ask(self, question: Question, seconds: int | None) -> str | None:
        self._question = question
        try:
            async for line in question.lines(seconds):
                self._view.hint = line
                self._view.refresh()
            return question.answer
        finally:
            self._question = None
            self._view.hint = ""
            self._view.refresh()
