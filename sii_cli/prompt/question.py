"""A question at the prompt that one key answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

SKIP = ("enter", "c-m", "c-j", "escape", "c-c", "c-d", "<sigint>")
"""Keys that leave a question without an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the keys that answer it."""

    text: str
    keys: str
    """One character for each answer."""
    answered: asyncio.Future[str | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def press(self, key: str) -> None:
        """Answer with a key; one that means nothing here is ignored."""
        if self.answered.done():
            return
        if key in SKIP:
            self.answered.set_result(None)
        elif key.lower() in self.keys:
            self.answered.set_result(key.lower())
