"""The `jobs` tool: commands that run in the background, started by `bash`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox.protocol import Job, Sandbox, SandboxProvider, UnknownJob
from tools.base import Emit, Params, Tool, ToolError, ToolResult
from tools.command_text import job_result, job_state
from tools.text import counted

_LISTED = 50
"""Jobs that are listed at most: of those that run, and of those that have ended."""


class JobsParams(Params):
    """What to do with which job."""

    action: Literal["list", "read", "wait", "stop"] = Field(description="What to do.")
    id: int | None = Field(None, description="Which job; of no meaning for list.")
    timeout: int = Field(60, description="Seconds that wait waits at most.", ge=1, le=3600)


class Jobs(Tool[JobsParams]):
    """Lists, reads, awaits and stops the session's jobs."""

    name = "jobs"
    params = JobsParams

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox

    async def run(self, params: JobsParams, emit: Emit) -> ToolResult:
        """Carry out one action; reading, waiting and stopping return the new output."""
        sandbox = await self._sandbox()
        if params.action == "list":
            return ToolResult(_listed(sandbox.jobs()))
        if params.id is None:
            raise ToolError("bad_arguments", f"Which job? Give `id` to {params.action}.")
        try:
            return await _act(sandbox, params, params.id, emit)
        except UnknownJob as error:
            raise ToolError("unknown_job", str(error)) from None


def _listed(jobs: list[Job]) -> str:
    """Name the jobs that run, and the last of those that have ended."""
    ended = [job for job in jobs if not job.running]
    shown = [job for job in jobs if job.running][-_LISTED:] + ended[-_LISTED:]
    shown.sort(key=lambda job: job.job_id)
    left = len(jobs) - len(shown)
    rows = [f"[{counted(left, 'earlier job')} left out]"] if left else []
    return "\n".join([*rows, *map(job_state, shown)]) or "There are no jobs."


async def _act(sandbox: Sandbox, params: JobsParams, job_id: int, emit: Emit) -> ToolResult:
    if params.action == "wait":
        await sandbox.wait_job(job_id, timeout=params.timeout, on_output=emit)
    elif params.action == "stop":
        await sandbox.stop_job(job_id)
    return job_result(await sandbox.read_job(job_id))
