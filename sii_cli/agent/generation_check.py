"""Compares a response with what its token ids spell, while its calls run."""

from __future__ import annotations

import asyncio

from recordings.events import RawGeneration
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import Completion, Model

PATIENCE = 2.0
"""Seconds that a server has to say what ids spell; usually it needs some milliseconds."""


class GenerationCheck:
    """One check at a time: it begins after a response and ends before the next request."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._running: asyncio.Task[RawGeneration | None] | None = None

    def begin(self, step: int, done: Completion) -> None:
        """Begin the check of a response, in the background."""
        if done.complete and done.generated_ids:
            self._running = asyncio.create_task(self._check(step, done))

    async def result(self) -> RawGeneration | None:
        """Wait for the last check; return its event, or `None` when nothing differs."""
        checking, self._running = self._running, None
        return await checking if checking is not None else None

    async def _check(self, step: int, done: Completion) -> RawGeneration | None:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._model.text_differences(done)
        except (TimeoutError, ModelCallFailed):
            return RawGeneration(step=step, attempt=done.attempt, flags=["text_unchecked"], text="")
        if found is None or not found.flags:
            return None
        flags = list(found.flags)
        return RawGeneration(step=step, attempt=done.attempt, flags=flags, text=found.text)
