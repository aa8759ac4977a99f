"""The `python` tool: code in the session's interpreter."""

from __future__ import annotations

from pydantic import Field

from sandbox.protocol import SandboxProvider
from tools.base import Emit, Params, Tool, ToolResult
from tools.command_text import command_result


class PythonParams(Params):
    """A piece of code."""

    code: str = Field(description="Python code; the value of a last expression is shown.")
    timeout: int | None = Field(
        None, description="Seconds after which the code is interrupted.", ge=1
    )
    restart: bool = Field(False, description="Begin with a fresh interpreter.")


class Python(Tool[PythonParams]):
    """Runs code in an interpreter that lives as long as the session."""

    name = "python"
    params = PythonParams

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox

    async def run(self, params: PythonParams, emit: Emit) -> ToolResult:
        """Run the code to its end or to its time limit."""
        sandbox = await self._sandbox()
        result = await sandbox.python(
            params.code, timeout=params.timeout, on_output=emit, restart=params.restart
        )
        return command_result(result, "interpreter")
