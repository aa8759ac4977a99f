"""Keeps errors off a full screen: a sentence is shown, and a bug ends the screen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from prompt_toolkit.application import Application

from sii_cli.errors import explain


class ErrorGuard:
    """Runs what keys ask for and what works behind a screen.

    prompt_toolkit would draw a traceback over the screen, and wait for Enter.
    """

    def __init__(self, app: Application[None], say: Callable[[str], None]) -> None:
        """`say` shows a sentence."""
        self._app, self._say = app, say
        self.bug: Exception | None = None
        """What ended the screen: to be raised once the terminal is restored."""

    def act(self, act: Callable[[], None]) -> None:
        """Do what a key asks for."""
        try:
            act()
        except Exception as error:
            self._failed(error)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin to work behind the screen."""
        self._app.create_background_task(self.wait(work))

    async def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait until the work is done, or has failed."""
        try:
            await work
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if (known := explain(error)) is not None:
            self._say(str(known))
        else:
            self.bug = self.bug or error
            if self._app.is_running and not self._app.is_done:
                self._app.exit()
        self._app.invalidate()
