"""The sandbox of a session: started in the background, replaced when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Literal

from recordings.errors import RecordingError
from recordings.events import (
    DataSetUse,
    EventData,
    NetworkRequest,
    PortOpened,
    SandboxEnd,
    SandboxStart,
)
from sandbox.network.named_networks import versions_of
from sandbox.ports import OnPort
from sandbox.protocol import (
    NetworkUse,
    Sandbox,
    SandboxBackend,
    SandboxError,
    SandboxInfo,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from sii_cli.data_sets.data_set import DataSet, first_change, why_changed
from sii_cli.debug_log import logger

_LOG = logger(__name__)

Note = Callable[[EventData], object]

_START_SECONDS = 1.0
"""How long leaving waits for a sandbox that is set up while it starts."""


class SandboxLease:
    """Starts a sandbox before its first use, and another one when it is lost."""

    def __init__(
        self, backend: SandboxBackend, spec: SandboxSpec, data_sets: Sequence[DataSet] = ()
    ) -> None:
        """`data_sets` are those that `spec` mounts."""
        self._backend = backend
        self._spec = spec
        self._data_sets = data_sets
        self._note: Note | None = None
        self.on_port: OnPort = lambda job, port: None
        """Called with each port of a job, once it is recorded."""
        self._starting: asyncio.Task[Sandbox] | None = None
        self._up: Sandbox | None = None
        """The sandbox that is ready."""
        self._removals: list[asyncio.Task[None]] = []
        """Lost sandboxes that are being removed."""

    @property
    def up(self) -> Sandbox | None:
        """The sandbox, when it is ready."""
        return self._up

    def begin(self) -> None:
        """Start a sandbox in the background, unless there is one."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())

    def report_to(self, note: Note | None) -> None:
        """Record starts, ends and requests from now on, and the sandbox that is ready already."""
        self._note = note
        if self._up is not None:
            self._introduce(self._up)

    async def get(self) -> Sandbox:
        """Return the sandbox, waiting while it starts. Raises `SandboxUnavailable`."""
        self.begin()
        starting = self._starting
        assert starting is not None
        try:
            return await asyncio.shield(starting)
        except Exception:
            if self._starting is starting:  # not one that another caller has begun since
                self._starting = None
            raise

    def check(self) -> None:
        """Give the sandbox up if it is known to be gone, before a call fails in it."""
        if self._up is not None and self._up.lost is not None:
            self.lost(self._up.lost)

    def lost(self, detail: str) -> None:
        """Give the sandbox up: it died. The next `get` starts another.

        Of calls that ran at the same time only the first report counts.
        """
        if self._up is None or self._starting is None:
            return
        _LOG.warning("the sandbox %s was lost: %s", self._up.info.sandbox_id, detail)
        dead, self._starting = self._starting.result(), None
        self._removals.append(asyncio.create_task(dead.close()))  # it may only have gone silent
        self._ended("lost", detail)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Freeze everything in the sandbox meanwhile, background jobs included."""
        sandbox = self._up
        if sandbox is None:
            yield
            return
        with suppress(SandboxLost):  # then nothing runs in it
            await sandbox.freeze()
        try:
            yield
        finally:
            with suppress(SandboxLost):
                await sandbox.unfreeze()

    async def close(self) -> None:
        """End the sandbox, also one that is still starting, and remove lost ones.

        Set-up commands that still run are ended: leaving does not wait for them.
        """
        await asyncio.gather(*self._removals, return_exceptions=True)
        if self._starting is None:
            return
        starting, self._starting = self._starting, None
        if self._spec.setup:
            await asyncio.wait([starting], timeout=_START_SECONDS)
            starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            with suppress(SandboxError):
                await starting.result().close()
        changed = await asyncio.to_thread(_changed, self._data_sets) if self._data_sets else None
        self._ended("closed", "", changed)

    async def _start(self) -> Sandbox:
        if self._data_sets and (why := await asyncio.to_thread(first_change, self._data_sets)):
            raise SandboxUnavailable(why)
        sandbox = await self._backend.start(self._spec)
        try:
            self._introduce(sandbox)
        except BaseException:
            await sandbox.close()
            raise
        self._up = sandbox
        _LOG.debug("the sandbox %s started", sandbox.info.sandbox_id)
        return sandbox

    def _introduce(self, sandbox: Sandbox) -> None:
        """Record the start of a sandbox, and from then on its network requests and its ports."""
        note, sandbox_id = self._note, sandbox.info.sandbox_id
        if note is None:
            sandbox.watch_network(None)
            sandbox.watch_ports(None)
            return
        note(_start_of(sandbox.info, self._spec, self._data_sets))

        def tell(use: NetworkUse) -> None:
            with suppress(RecordingError):  # the round's next event fails, too, and ends it
                note(NetworkRequest(sandbox_id=sandbox_id, **asdict(use)))

        def tell_port(job: int, port: int) -> None:
            with suppress(RecordingError):
                note(PortOpened(sandbox_id=sandbox_id, job=job, port=port))
            self.on_port(job, port)

        sandbox.watch_network(tell)
        sandbox.watch_ports(tell_port)

    def _ended(
        self, reason: Literal["closed", "lost"], detail: str, changed: list[str] | None = None
    ) -> None:
        sandbox, self._up = self._up, None
        if sandbox is not None and self._note is not None:
            sandbox_id = sandbox.info.sandbox_id
            self._note(
                SandboxEnd(
                    sandbox_id=sandbox_id, reason=reason, detail=detail, data_changed=changed
                )
            )


def _changed(data_sets: Sequence[DataSet]) -> list[str] | None:
    """Return the names of data sets that are not as they were when the sandbox started. Blocks."""
    changed = [one.name for one in data_sets if why_changed(one)]
    if changed:
        _LOG.warning("data sets changed while the sandbox ran: %s", ", ".join(changed))
    return changed or None


def _use_of(data_set: DataSet) -> DataSetUse:
    """Return what a recording says of a data set."""
    return DataSetUse(
        name=data_set.name,
        sha256=data_set.sha256,
        files=data_set.files,
        size=data_set.size,
        license=data_set.license,
    )


def _start_of(info: SandboxInfo, spec: SandboxSpec, data_sets: Sequence[DataSet]) -> SandboxStart:
    places = {one.place for one in data_sets}
    return SandboxStart(
        backend=info.backend,
        sandbox_id=info.sandbox_id,
        image=info.image,
        image_digest=info.image_digest,
        limits=asdict(info.limits),
        network=list(info.network),
        named_networks=versions_of(spec.allow_net) or None,
        private_hosts=list(spec.allow_net_private) or None,
        unlimited=list(info.unlimited),
        read_only=spec.read_only,
        mounts={
            mount.target: str(mount.source) for mount in spec.mounts if mount.target not in places
        },
        data=list(map(_use_of, data_sets)) or None,
        setup=list(spec.setup),
        env=sorted(spec.env),
        start_seconds=info.start_seconds,
    )
