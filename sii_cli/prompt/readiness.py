"""Whether the server and the sandbox of a session are ready, for the status line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from recordings.errors import RecordingError
from sandbox.protocol import SandboxError
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import ServedModel
from sii_cli.prompt.server_watch import wait_for_server
from sii_cli.session.session import Session
from sii_cli.text.sanitise import one_line

State = tuple[str, str]
"""(style, word)."""


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

    def watch(self, session: Session) -> None:
        """Wait for the server and the sandbox of a session that was just opened."""
        self.server, self.sandbox = ("dim", "asking"), ("dim", "starting")
        self._watchers = [
            asyncio.create_task(self._watch_server(session)),
            asyncio.create_task(self._watch_sandbox(session)),
        ]

    def states(self) -> Iterator[State]:
        """Yield both as they are shown: `("dim", "server ready")`."""
        yield self.server[0], f"server {self.server[1]}"
        yield self.sandbox[0], f"sandbox {self.sandbox[1]}"

    def stop(self) -> None:
        """Wait no more."""
        for watcher in self._watchers:
            watcher.cancel()

    async def _watch_server(self, session: Session) -> None:
        try:
            served = await wait_for_server(session, self._no_server)
        except ModelCallFailed as error:
            self._no_server(str(error))
            return
        self.answered(session, served)

    def answered(self, session: Session, served: ServedModel) -> None:
        """Show what the server of a session serves."""
        self.server = ("dim", "ready")
        self.model = one_line(served.name, 60)
        self._served(session, served)
        self._changed()

    def _no_server(self, why: str) -> None:
        self.server = ("error", "not usable")
        self._warn(why)
        self._changed()

    async def _watch_sandbox(self, session: Session) -> None:
        try:
            await session.sandbox()
        except (SandboxError, RecordingError) as error:
            self.sandbox = ("error", "not usable")
            self._warn(str(error))
        else:
            self.sandbox = ("dim", "ready")
        self._changed()
