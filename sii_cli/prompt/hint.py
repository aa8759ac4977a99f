"""A hint below the input line, which stays for some seconds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sii_cli.prompt.view import View

TWICE = 2.0
"""Seconds within which the same key pressed again is meant."""
FAILURE = 10.0
"""Seconds for which it is shown that something failed."""


class Hint:
    """Shows one hint at a time."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._end: asyncio.TimerHandle | None = None
        self._shown = ""

    def show(self, text: str, seconds: float) -> None:
        """Show a hint for so many seconds."""
        if self._end is not None:
            self._end.cancel()
        self._view.hint = self._shown = text
        self._view.refresh()
        self._end = asyncio.get_running_loop().call_later(seconds, self._forget)

    def is_second(self, text: str) -> bool:
        """Return whether the key that this hint is of is pressed a second time; else show it."""
        if self._view.hint == text:
            self._forget()
            return True
        self.show(text, TWICE)
        return False

    def _forget(self) -> None:
        """Remove the hint, unless a question has replaced it."""
        if self._view.hint == self._shown:
            self._view.hint = ""
            self._view.refresh()
