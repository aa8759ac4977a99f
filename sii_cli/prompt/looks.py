"""What changes the look of the prompt and nothing else: panel, unfolding, editor, suspension."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.application import in_terminal

from sii_cli.errors import explain
from sii_cli.prompt.hint import FAILURE, Hint
from sii_cli.prompt.view import View

if TYPE_CHECKING:
    from sii_cli.prompt.session import PromptSession


class Looks:
    """Does what keys ask for (`LookActions`). `session` returns the open session."""

    def __init__(self, view: View, hint: Hint, session: Callable[[], PromptSession | None]) -> None:
        self._view = view
        self._hint = hint
        self._session = session
        self._opening: asyncio.Task[None] | None = None

    def turn_panel(self) -> None:
        """Show the panel's next tab."""
        if (session := self._session()) is not None:
            session.show_panel(None)

    def open_folded(self) -> None:
        """Show the end of the recording with nothing folded, over the whole window."""
        session = self._session()
        folder = session.folder if session is not None else None
        if folder is not None and (self._opening is None or self._opening.done()):
            self._opening = asyncio.create_task(self._open(folder))

    def edit_line(self) -> None:
        """Open the input line in the user's editor (`$VISUAL`, `$EDITOR`)."""
        self._view.input.open_in_editor()

    def suspend(self) -> None:
        """Stop the program until the shell's `fg`; a terminal without jobs ignores it."""
        self._view.app.suspend_to_background()

    async def _open(self, folder: Path) -> None:
        module = await asyncio.to_thread(import_module, "sii_cli.prompt.opened")
        width = self._view.size.columns
        try:
            rows = await asyncio.to_thread(module.draw_opened, folder, width)
        except Exception as error:
            if (known := explain(error)) is None:
                raise
            self._hint.show(str(known), FAILURE)
            return
        async with in_terminal():
            await module.OpenedRows(rows).run()
