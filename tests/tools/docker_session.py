"""The tools of one session in a real sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Limits, Sandbox, SandboxSpec, SandboxUnavailable
from tools.base import ToolResult
from tools.registry import TOOL_NAMES
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

LIMITS = Limits(memory=512 << 20, tmp=64 << 20, output=8 << 20)


class Session:
    """Calls of tools over a workspace."""

    def __init__(self, sandbox: Sandbox, workspace: Path) -> None:
        async def provide() -> Sandbox:
            return sandbox

        self.workspace = workspace
        self.streamed: list[bytes] = []
        self._toolbox = Toolbox(TOOL_NAMES, provide, WebSettings())

    async def call(self, name: str, **arguments: object) -> ToolResult:
        return await self._toolbox.call(name, json.dumps(arguments), self.streamed.append)

    def put(self, path: str, content: str | bytes) -> None:
        """Make a file in the workspace from outside."""
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


@asynccontextmanager
async def docker_session(root: Path, limits: Limits = LIMITS) -> AsyncIterator[Session]:
    """Start a sandbox over a workspace in `root`."""
    workspace = root / "workspace"
    workspace.mkdir()
    try:
        sandbox = await DockerBackend().start(SandboxSpec(workspace, limits=limits))
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    try:
        yield Session(sandbox, workspace)
    finally:
        await sandbox.close()
