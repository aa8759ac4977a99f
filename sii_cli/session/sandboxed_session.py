"""What a session has of its sandbox: its jobs, its ports, and what is shown of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from recordings.events import PreviewOpened
from sandbox.ports import OnPort, PortConnection
from sandbox.protocol import Job, Sandbox, SandboxError
from sii_cli.errors import UsageError
from sii_cli.model.types import ServedModel
from sii_cli.session.opening import RecordingOpener
from sii_cli.session.recorded_session import RecordedSession
from sii_cli.session.resume import ResumedRecording

if TYPE_CHECKING:
    from sii_cli.web.preview import PreviewServer

MOST_PREVIEWS = 8
"""Ports that are shown at a time."""


class SandboxedSession(RecordedSession):
    """A recorded session with its sandbox; `Session` runs its rounds."""

    def __init__(
        self,
        opener: RecordingOpener,
        resumed: ResumedRecording | None,
        served: Callable[[], Awaitable[ServedModel]],
    ) -> None:
        super().__init__(opener, resumed, served)
        self._previews: dict[int, PreviewServer] = {}

    async def sandbox(self) -> Sandbox:
        """Return the sandbox, waiting until it is ready. Raises `SandboxUnavailable`."""
        return await self._lease.get()

    def frozen_sandbox(self) -> AbstractAsyncContextManager[None]:
        """Freeze everything in the sandbox meanwhile, background jobs included."""
        return self._lease.frozen()

    def jobs(self) -> list[Job]:
        """Return the background jobs, without waiting for a sandbox."""
        sandbox = self._lease.up
        return sandbox.jobs() if sandbox is not None else []

    def watch_ports(self, watcher: OnPort) -> None:
        """Call with each port that a job is seen to listen on, once it is recorded."""
        self._lease.on_port = watcher

    async def open_port(self, port: int) -> str:
        """Show a port of the sandbox to the human, until the session is closed.

        Returns a link for their browser, which works once. Raises `UsageError` when nothing was
        done in the sandbox yet, or too many ports are shown.
        """
        from sii_cli.web.preview import PreviewServer  # few sessions need it

        if self._loop is None:
            raise UsageError("Nothing runs in the sandbox yet: there is no port to show.")
        if port not in self._previews:
            if len(self._previews) >= MOST_PREVIEWS:
                shown = ", ".join(map(str, self._previews))
                raise UsageError(f"{MOST_PREVIEWS} ports are shown already: {shown}.")
            self._previews[port] = await PreviewServer.start(lambda: self._connect(port))
        speaker = self._opener.settings.speaker
        self.note(PreviewOpened(port=port, speaker=speaker), "human")
        return self._previews[port].new_link()

    async def _connect(self, port: int) -> PortConnection:
        """Connect to a port of the sandbox, if it runs. Raises `OSError`."""
        sandbox = self._lease.up
        if sandbox is None:
            raise ConnectionRefusedError("The sandbox does not run.")
        try:
            return await sandbox.connect(port)
        except SandboxError as error:
            raise ConnectionRefusedError(str(error)) from None

    async def _close_previews(self) -> None:
        previews, self._previews = self._previews, {}
        for preview in previews.values():
            await preview.close()
