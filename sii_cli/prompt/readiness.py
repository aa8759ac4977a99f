"""Whether the server and the sandbox of a session are ready, for the status line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from recordings.errors import RecordingError
from sandbox.protocol import SandboxError
from sii_cli.agent.event_channel import Item
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel
from sii_cli.prompt.server_watch import wait_for_server
from sii_cli.session.session import Session
from sii_cli.text.sanitise import one_line

State = tuple[str, str]
"""(style, word)."""
NOT_USABLE: State = ("error", "not usable")
KEPT = "Your message is kept, and sent when a server answers; interrupted, it is not sent."


class Readiness:
    """Waits for both in the background."""

    def __init__(
        self,
        warn: Callable[[str], None],
        changed: Callable[[], None],
        served: Callable[[Session, ServedModel], None],
    ) -> None:
        """`served` is called once the server answers, `changed` after each change."""
        self._warn, self._changed, self._served = warn, changed, served
        self._watchers: list[asyncio.Task[None]] = []
        self.server: State = ("dim", "asking")
        self.sandbox: State = ("dim", "starting")
        self.model = ""
        """The served model's name, sanitised; empty before the server answered."""
        self._settled = asyncio.Event()
        """Set once the server answered, or asking it again cannot help."""

    def watch(self, session: Session) -> None:
        """Wait for the server and the sandbox of a session that was just opened."""
        self.server, self.sandbox = ("dim", "asking"), ("dim", "starting")
        self._settled.clear()
        self._watchers = [
            asyncio.create_task(self._watch_server(session)),
            asyncio.create_task(self._watch_sandbox(session)),
        ]

    def states(self) -> Iterator[State]:
        """Yield both as they are shown: `("dim", "server ready")`."""
        yield self.server[0], f"server {self.server[1]}"
        yield self.sandbox[0], f"sandbox {self.sandbox[1]}"

    @property
    def is_answered(self) -> bool:
        """Whether the server has answered."""
        return bool(self.model)

    async def once_served(self, items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
        """Yield items of a message, which is kept until a server answers."""
        if self.server == NOT_USABLE and not self._settled.is_set():
            self._warn(KEPT)
        await self._settled.wait()
        async with aclosing(items):
            async for item in items:
                yield item

    def stop(self) -> None:
        """Wait no more."""
        for watcher in self._watchers:
            watcher.cancel()

    async def _watch_server(self, session: Session) -> None:
        try:
            served = await wait_for_server(session, self._no_server)
        except ModelCallFailed as error:
            self._no_server(str(error))
            self._settled.set()
            return
        self.answered(session, served)

    def answered(self, session: Session, served: ServedModel) -> None:
        """Show what the server of a session serves."""
        self.server = ("dim", "ready")
        self.model = one_line(served.name, 60)
        self._served(session, served)
        self._settled.set()
        self._changed()

    def _no_server(self, why: str) -> None:
        self.server = NOT_USABLE
        self._warn(why)
        self._changed()

    async def _watch_sandbox(self, session: Session) -> None:
        try:
            await session.sandbox()
        except (SandboxError, RecordingError) as error:
            self.sandbox = NOT_USABLE
            self._warn(str(error))
        else:
            self.sandbox = ("dim", "ready")
        self._changed()
