"""Background jobs without an engine: processes of the host, their output in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field, replace

from sandbox.ports import OnPort
from sandbox.protocol import Job, JobOutput, OnOutput, UnknownJob


@dataclass
class _Running:
    job: Job
    process: asyncio.subprocess.Process
    ended: asyncio.Task[None]
    started: float = field(default_factory=time.monotonic)
    unread: bytes = b""
    told: bool = False


class FakeJobs:
    """The `Jobs` half of the sandbox protocol."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Running] = {}
        self._watcher: OnPort | None = None

    async def start_job(self, command: str) -> Job:
        """Start a command."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        job = Job(len(self._jobs) + 1, command, running=True, seconds=0.0)
        follow = asyncio.create_task(self._follow(job.job_id))
        self._jobs[job.job_id] = _Running(job, process, follow)
        return job

    async def _follow(self, job_id: int) -> None:
        one = self._jobs[job_id]
        assert one.process.stdout
        while piece := await one.process.stdout.read(1 << 16):
            one.unread += piece
        code = await one.process.wait()
        one.job = replace(
            one.job,
            running=False,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
        )

    def jobs(self) -> list[Job]:
        """Every job."""
        return [one.job for one in self._jobs.values()]

    def ended_jobs(self) -> list[Job]:
        """Return each job that ended, once."""
        news = [one for one in self._jobs.values() if not one.job.running and not one.told]
        for one in news:
            one.told = True
        return [one.job for one in news]

    async def read_job(self, job_id: int, *, limit: int = 1 << 20) -> JobOutput:
        """Return what is new."""
        one = self._known(job_id)
        data, one.unread = one.unread[:limit], one.unread[limit:]
        return JobOutput(data, 0, replace(one.job, seconds=time.monotonic() - one.started))

    async def wait_job(
        self, job_id: int, *, timeout: float, on_output: OnOutput | None = None
    ) -> Job:
        """Wait for its end."""
        one = self._known(job_id)
        await asyncio.wait([one.ended], timeout=timeout)
        if on_output is not None and one.unread:
            on_output(one.unread)
        one.told = not one.job.running
        return one.job

    def watch_ports(self, watcher: OnPort | None) -> None:
        """Call `watcher` where a test calls `open_port`."""
        self._watcher = watcher

    def open_port(self, job_id: int, port: int) -> None:
        """Let a job listen on a port, as far as is told."""
        one = self._known(job_id)
        one.job = replace(one.job, ports=(*one.job.ports, port))
        if self._watcher is not None:
            self._watcher(job_id, port)

    async def stop_job(self, job_id: int) -> Job:
        """End it."""
        one = self._known(job_id)
        if one.job.running:
            one.job = replace(one.job, stopped=True)
            os.killpg(one.process.pid, signal.SIGTERM)
            await one.ended
        one.told = True
        return one.job

    async def until_ended(self, job_id: int) -> None:
        """Wait for a job's end without having it told."""
        await self._known(job_id).ended

    async def end_jobs(self) -> None:
        """End all of them."""
        for one in self._jobs.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.process.pid, signal.SIGKILL)
            await one.ended

    def _known(self, job_id: int) -> _Running:
        if job_id not in self._jobs:
            known = ", ".join(map(str, self._jobs)) or "none"
            raise UnknownJob(f"There is no job {job_id}; known are: {known}.")
        return self._jobs[job_id]
