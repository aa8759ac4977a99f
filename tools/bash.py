"""The `bash` tool: commands in the session's shell."""

from __future__ import annotations

from pydantic import Field

from sandbox.protocol import (
    Sandbox,
    SandboxError,
    SandboxLost,
    SandboxProvider,
    SandboxUnavailable,
)
from tools.base import Emit, Params, Tool, ToolError, ToolResult
from tools.command_text import command_result


class BashParams(Params):
    """One command."""

    command: str = Field(description="The command; it may have several lines.", min_length=1)
    timeout: int | None = Field(None, description="Seconds after which the command is ended.", ge=1)
    background: bool = Field(False, description="Run it as a job, with no time limit.")


class Bash(Tool[BashParams]):
    """Runs commands in a shell that lives as long as the session."""

    name = "bash"
    params = BashParams

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox

    async def run(self, params: BashParams, emit: Emit) -> ToolResult:
        """Run the command to its end or to its time limit."""
        if "\0" in params.command:
            raise ToolError("bad_arguments", "A command cannot hold a NUL character. Not run.")
        sandbox = await self._sandbox()
        if params.background:
            return await _start_job(sandbox, params.command)
        result = await sandbox.bash(params.command, timeout=params.timeout, on_output=emit)
        return command_result(result, "shell")


async def _start_job(sandbox: Sandbox, command: str) -> ToolResult:
    try:
        job = await sandbox.start_job(command)
    except (SandboxLost, SandboxUnavailable):
        raise
    except SandboxError as error:
        raise ToolError("not_started", f"The job was not started. {error}") from None
    return ToolResult(f"Started job {job.job_id}.", details={"job": job.job_id})
