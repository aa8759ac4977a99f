"""A question at the prompt that one key answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

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
