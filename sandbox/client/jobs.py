"""The client's side of background jobs: what each is, where its output was last read."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from sandbox.client.results import limits, status, text, whole
from sandbox.client.stream import RunnerStream
from sandbox.ports import OnPort
from sandbox.protocol import (
    CommandResult,
    Job,
    JobOutput,
    OnOutput,
    SandboxError,
    UnknownJob,
)
from sandbox.runner.frames import FrameError, Head
from sandbox.runner.ports import MOST

_FOLLOW_EVERY = 0.3
"""Seconds between looks at what a job writes while it is waited for."""
_NAMED = 20
"""The last jobs, which are named when one does not exist."""
_FOLLOWED = 64 << 10
"""Bytes that one look shows at most."""


@dataclass(slots=True)
class _Entry:
    """A job, where its output was read up to, and a flag for its end."""

    job: Job
    begin: float
    ended: asyncio.Event
    offset: int = 0
    reported: bool = False


class JobTable:
    """The session's jobs."""

    def __init__(self, stream: RunnerStream) -> None:
        self._stream = stream
        self._entries: dict[int, _Entry] = {}
        self._ids = itertools.count(1)
        self.watcher: OnPort | None = None
        """Receives the ports that jobs listen on."""
        stream.on_event["job_end"] = self._on_end
        stream.on_event["port"] = self._on_port
        stream.on_lost.append(self._wake_all)

    async def start(self, command: str, place: CommandResult | None) -> Job:
        """Start a command; `place`: what `env -0` said in the shell it should start like.

        Raises `SandboxError` for one that could not be started: then there is no such job.
        """
        job_id = next(self._ids)
        job = Job(job_id, command, running=True, seconds=0.0)
        entry = self._entries[job_id] = _Entry(job, time.monotonic(), asyncio.Event())
        head = {
            "op": "job_start",
            "job": job_id,
            "cwd": place.cwd if place is not None else None,
            "env": _environment(place.output) if place is not None else None,
        }
        try:
            reply = await self._stream.call(head, command.encode("utf-8", "surrogateescape"))
            if "error" in reply.head:
                with self._stream.understood():
                    raise SandboxError(text(reply.head, "error"))
        except SandboxError:
            del self._entries[job_id]
            raise
        return entry.job

    def all(self) -> list[Job]:
        """Every job, in order."""
        return [_now(entry) for entry in self._entries.values()]

    def ended(self) -> list[Job]:
        """Return jobs whose end was not reported yet."""
        news = [one for one in self._entries.values() if not one.job.running and not one.reported]
        for entry in news:
            entry.reported = True
        return [entry.job for entry in news]

    async def read(self, job_id: int, limit: int) -> JobOutput:
        """Read what is new."""
        entry = self._entry(job_id)
        start, data = await self._read_from(job_id, entry.offset, limit)
        missed = max(0, start - entry.offset)
        entry.offset = start + len(data)
        return JobOutput(data, missed, _now(entry))

    async def _read_from(self, job_id: int, offset: int, limit: int) -> tuple[int, bytes]:
        """Return what is kept from `offset` on, and where that really begins."""
        head = {"op": "job_read", "job": job_id, "offset": offset, "limit": limit}
        reply = await self._stream.call(head, asks=limit)
        with self._stream.understood():
            return whole(reply.head, "offset"), reply.output

    async def wait(self, job_id: int, timeout: float, on_output: OnOutput | None = None) -> Job:
        """Wait for its end, or `timeout` seconds; show its output meanwhile."""
        entry = self._entry(job_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                if on_output is not None:
                    await self._follow(job_id, entry, on_output)
                await entry.ended.wait()
        if entry.job.running:
            self._stream.check()
        else:
            entry.reported = True
        return _now(entry)

    async def _follow(self, job_id: int, entry: _Entry, on_output: OnOutput) -> None:
        """Show what the job writes until it has ended; `read` returns it again later."""
        offset = entry.offset
        while entry.job.running and self._stream.lost is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(entry.ended.wait(), _FOLLOW_EVERY)
            start, data = await self._read_from(job_id, offset, _FOLLOWED)
            offset = start + len(data)
            if data:
                on_output(data)

    async def stop(self, job_id: int) -> Job:
        """End it."""
        entry = self._entry(job_id)
        if entry.job.running:
            entry.job = replace(entry.job, stopped=True)
            await self._stream.call({"op": "job_stop", "job": job_id})
            await entry.ended.wait()
            if entry.job.running:
                self._stream.check()
        entry.reported = True
        return entry.job

    def _entry(self, job_id: int) -> _Entry:
        try:
            return self._entries[job_id]
        except KeyError:
            known = ", ".join(map(str, list(self._entries)[-_NAMED:])) or "none"
            raise UnknownJob(f"There is no job {job_id}; known are: {known}.") from None

    def _wake_all(self) -> None:
        """End all waiting for jobs, because the sandbox is gone."""
        for entry in self._entries.values():
            entry.ended.set()

    def _on_end(self, head: Head, _body: bytes) -> None:
        entry = self._entries[head["job"]]
        entry.job = replace(
            entry.job,
            running=False,
            seconds=time.monotonic() - entry.begin,
            exit_code=status(head, "exit_code"),
            signal=status(head, "signal"),
            limits_hit=tuple(limits(head, "limits")),
        )
        entry.ended.set()

    def _on_port(self, head: Head, _body: bytes) -> None:
        entry = self._entries[whole(head, "job")]
        port, ports = whole(head, "port"), entry.job.ports
        if not 0 < port < 1 << 16 or port in ports or len(ports) >= MOST:
            raise FrameError("it reports an impossible port")
        entry.job = replace(entry.job, ports=(*ports, port))
        if self.watcher is not None:
            self.watcher(entry.job.job_id, port)


def _now(entry: _Entry) -> Job:
    if not entry.job.running:
        return entry.job
    return replace(entry.job, seconds=time.monotonic() - entry.begin)


def _environment(listing: bytes) -> dict[str, str] | None:
    """Read the output of `env -0`, or None when that failed."""
    pairs = (
        entry.partition("=") for entry in listing.decode("utf-8", "surrogateescape").split("\0")
    )
    found = {name: value for name, equals, value in pairs if equals}
    return found or None
