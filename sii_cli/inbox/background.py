"""Continues sessions that have a reply, some at a time, while the person reads others."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recordings.errors import RecordingDamaged, RecordingInUse
from recordings.events import Event, ModelResponse, SessionStart
from recordings.storage.log import is_locked, read_events
from sandbox.protocol import SandboxError
from sii_cli.agent.event_channel import Item
from sii_cli.batch.plan.plan import Attempt
from sii_cli.errors import InfrastructureError, explain
from sii_cli.inbox.batches import Batches
from sii_cli.inbox.waiting import WaitingSession
from sii_cli.model.errors import ModelCallFailed
from sii_cli.session.session import Session

AT_ONCE = 8
"""Sessions that run at a time, unless another number is asked for."""
_RESTS = (5.0, 15.0, 60.0)
"""Seconds before another try, when no server or sandbox can be used; the last one is repeated."""

Ending = Literal["answered", "suspended", "failed"]


@dataclass(slots=True)
class ContinuedSession:
    """A session that goes on."""

    waiting: WaitingSession
    begun: float = field(default_factory=time.monotonic)
    steps: int = 0
    trouble: str = ""
    """Why it waits for another try."""
    session: Session | None = None


class Background:
    """Sessions that go on in this process. All of its methods are called in one event loop."""

    def __init__(
        self,
        batches: Batches,
        at_once: int = AT_ONCE,
        *,
        ended: Callable[[WaitingSession, Ending, str], None],
        troubled: Callable[[WaitingSession, str], None] = lambda waiting, why: None,
    ) -> None:
        """`ended` is called when a session waits for a reply again, or does not go on here, with
        the reason; `troubled` when it is tried again later.
        """
        self._batches = batches
        self._places = asyncio.Semaphore(at_once)
        self._ended, self._troubled = ended, troubled
        self._tasks: dict[asyncio.Task[None], ContinuedSession] = {}
        self._stops = False

    @property
    def sessions(self) -> list[ContinuedSession]:
        """The sessions that go on or wait for a place, in the order in which they were begun."""
        return list(self._tasks.values())

    def begin(self, waiting: WaitingSession) -> None:
        """Continue a session that has a reply, unless it goes on here already."""
        if self._stops or any(one.waiting.id == waiting.id for one in self._tasks.values()):
            return
        continued = ContinuedSession(waiting)
        task = asyncio.create_task(self._run(continued))
        self._tasks[task] = continued
        task.add_done_callback(self._tasks.pop)

    async def wait(self) -> None:
        """Wait until no session goes on."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def suspend(self) -> None:
        """Stop each session at the end of its running step; the next `sii inbox` continues it."""
        self._stops = True
        for task, one in self._tasks.items():
            if one.session is None:
                task.cancel()
            else:
                one.session.suspend()

    async def aclose(self) -> None:
        """Stop what still runs now, and release what sessions share."""
        self._stops = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._batches.aclose()

    async def _run(self, one: ContinuedSession) -> None:
        tries = 0
        while True:
            try:
                async with self._places:
                    how = await self._continue(one)
            except (ModelCallFailed, SandboxError, InfrastructureError) as error:
                one.trouble, one.session = str(error), None
                self._troubled(one.waiting, one.trouble)
                await asyncio.sleep(_RESTS[min(tries, len(_RESTS) - 1)])
                tries += 1
            except RecordingInUse:
                self._ended(one.waiting, "failed", "another process continues it")
                return
            except Exception as error:  # a bug, too, is one session's alone
                known = explain(error)
                why = f"a bug of sii, {type(error).__name__}: {error}" if known is None else known
                self._ended(one.waiting, "failed", str(why))
                return
            else:
                self._ended(one.waiting, how, "")
                return

    async def _continue(self, one: ContinuedSession) -> Ending:
        """Continue a session until it waits again. Raises what `continue_parked` raises."""
        folder = one.waiting.folder
        if await asyncio.to_thread(is_locked, folder):
            raise RecordingInUse(f"{folder.name} is being continued.")
        start = await asyncio.to_thread(_start_of, folder)
        began = one.waiting.summary.started or 0.0
        batch = await asyncio.to_thread(self._batches.open, one.waiting.batch, start, began)

        def opened(session: Session) -> None:
            one.session, one.trouble = session, ""
            if self._stops:
                session.suspend()

        def on_item(_: Attempt, item: Item) -> None:
            if isinstance(item, Event) and isinstance(item.data, ModelResponse):
                one.steps += 1

        outcome = await batch.executor.continue_parked(
            batch.attempt(start), folder, on_item, opened
        )
        return "suspended" if outcome is None and self._stops else "answered"


def _start_of(folder: Path) -> SessionStart:
    """Return the first event of a recording. Raises `RecordingError`."""
    start = next(read_events(folder)).data
    if not isinstance(start, SessionStart):
        raise RecordingDamaged(f"The recording {folder.name} does not begin with `session_start`.")
    return start


@contextmanager
def suspending(background: Background) -> Iterator[None]:
    """Let a first Ctrl-C or SIGTERM suspend what goes on, and a second one stop it now."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked and main is not None:
            main.cancel()
        asked = True
        background.suspend()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
