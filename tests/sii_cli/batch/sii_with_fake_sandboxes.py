"""The `sii` command with sandboxes without an engine, as a program: `python -m … [FAULTS] -- …`.

FAULTS is the share of starts that fail, and of commands under which the sandbox dies.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sandbox.protocol import CommandResult, Sandbox, SandboxLost, SandboxSpec, SandboxUnavailable
from sii_cli.batch.sessions import executor
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.main import main
from tests.fakes.fake_sandbox import FakeSandbox, new_root


class FaultySandbox(FakeSandbox):
    """Dies under a share of its commands. Works in the session's own workspace."""

    def __init__(self, root: Path, workspace: Path, faults: float) -> None:
        super().__init__(root)
        self._faults = faults
        self.workspace = workspace
        Path(f"{self._state}.cwd").write_text(str(workspace))

    async def bash(self, command: str, **options: Any) -> CommandResult:
        if random.random() < self._faults:
            raise SandboxLost("the container is gone")
        return await super().bash(command, **options)


class FaultyBackend:
    """Fails a share of its starts."""

    name = "fake"

    def __init__(self, faults: float, home: Path) -> None:
        self._faults = faults
        self._home = home

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if random.random() < self._faults:
            raise SandboxUnavailable("The engine answers with an error.")
        return FaultySandbox(new_root(self._home), spec.workspace, self._faults)


def with_fake_sandboxes(bench: SessionParts) -> LocalExecutor:
    """What each machine of a cluster runs sessions with."""
    return LocalExecutor(bench, backend=FaultyBackend(0.0, bench.settings.home))


if __name__ == "__main__":
    share = float(sys.argv.pop(1))
    faulty = patch.object(
        executor, "make_backend", lambda settings: FaultyBackend(share, settings.home)
    )
    faulty.start()
    main()
