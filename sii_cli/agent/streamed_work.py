"""Runs one piece of a session's work at a time, in a task, and yields what it records and shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine

from recordings.events import Origin
from sii_cli.agent.event_channel import EventChannel, Item

Work = Callable[[], Coroutine[None, None, None]]


class StreamedWork:
    """The task of a session."""

    def __init__(self, channel: EventChannel, interrupted: Callable[[Origin], None]) -> None:
        """`interrupted` is called with who interrupts the work, before its task is cancelled."""
        self._channel = channel
        self._on_interrupt = interrupted
        self._task: asyncio.Task[None] | None = None
        self._is_interrupted = False
        self._begun = False
        """The task has begun: cancelled before, it could record nothing."""

    @property
    def is_running(self) -> bool:
        """Whether work is under way."""
        return self._task is not None and not self._task.done()

    async def stream(self, work: Work) -> AsyncGenerator[Item, None]:
        """Do the work, and yield what it records and shows; raises what it raises.

        Closing the generator early interrupts the work.
        """
        self._is_interrupted = self._begun = False
        self._task = asyncio.create_task(work())
        self._task.add_done_callback(lambda _: self._channel.end())
        is_read = True
        try:
            await asyncio.sleep(0)
            self._begun = True
            if self._is_interrupted:
                self._task.cancel()
            while (item := await self._channel.next()) is not None:
                yield item
            is_read = False
            await self._task
        finally:
            self.interrupt("human")
            if not self._begun:
                self._task.cancel()
            await asyncio.wait([self._task])
            if is_read:
                self._channel.skip_round()
                self._task.exception()

    def interrupt(self, by: Origin) -> None:
        """Interrupt the work, if any runs; what was done is kept."""
        if self.is_running and not self._is_interrupted:
            assert self._task is not None
            self._is_interrupted = True
            self._on_interrupt(by)
            if self._begun:
                self._task.cancel()
