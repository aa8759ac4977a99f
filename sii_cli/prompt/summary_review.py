"""Shows the summary that is to replace the history, and lets the human edit it first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import click

from sii_cli.prompt.surface import AskInTime, PromptSurface
from sii_cli.text.sanitise import sanitise

SECONDS = 20
_QUESTION = "Summary: e edits · Enter uses"


class SummaryReview:
    """Waits a short time for the human, unless a message is being typed."""

    def __init__(self, surface: PromptSurface, say: Callable[..., None]) -> None:
        self._surface = surface
        self._say = say
        self.ask: AskInTime | None = None
        """How to ask; without it nothing is waited for."""

    async def __call__(self, summary: str) -> str | None:
        """Return the summary as the human edited it, or `None` to use it as it is."""
        self._say("The summary:", *summary.split("\n"))
        if self.ask is None or self._surface.is_typing:
            return None
        if await self.ask(_QUESTION, "e", SECONDS) != "e":
            return None
        try:
            async with self._surface.lent():
                edited = await asyncio.to_thread(click.edit, sanitise(summary), extension=".md")
        except (click.ClickException, OSError) as error:
            self._say(f"The summary is used as it is. {error}")
            return None
        return edited.strip() if edited and edited.strip() else None
