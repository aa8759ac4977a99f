"""The `sii` command with sandboxes without an engine, as a program: `python -m … [FAULTS] -- …`.

FAULTS is the share of starts that fail, and of commands under which the sandbox dies.
"""

from __future__ import annotations

import random
import shlex
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sandbox.protocol import (
    CommandResult,
    FileData,
    FileError,
    Sandbox,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    SetupFailed,
)
from sii_cli.batch.sessions import executor
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.main import main
from sii_cli.queries.check.report import VARIABLE
from tests.fakes.fake_sandbox import FakeSandbox, new_root


class FaultySandbox(FakeSandbox):
    """Dies under a share of its commands. Works in the session's own workspace."""

    def __init__(
        self, root: Path, workspace: Path, faults: float, env: dict[str, str] | None = None
    ) -> None:
        super().__init__(root)
        env = dict(env or {})
        self._report: Path | None = None
        if VARIABLE in env:
            self._report = root / Path(env[VARIABLE]).name
            env[VARIABLE] = str(self._report)
        exports = (f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
        Path(self._state).write_text("".join(exports))
        self._faults = faults
        self.workspace = workspace
        Path(f"{self._state}.cwd").write_text(str(workspace))

    async def bash(self, command: str, **options: Any) -> CommandResult:
        if random.random() < self._faults:
            raise SandboxLost("the container is gone")
        return await super().bash(command, **options)

    async def read_file(self, path: str, *, offset: int = 0, limit: int = 64 << 20) -> FileData:
        """Read the report of a check, which is not in the workspace."""
        if self._report is None or Path(path).name != self._report.name:
            return await super().read_file(path, offset=offset, limit=limit)
        if not self._report.exists():
            raise FileError("not_found", f"There is no file {path}.")
        data = self._report.read_bytes()
        return FileData(data[offset : offset + limit], len(data), 0o644, 0.0, path)


class FaultyBackend:
    """Fails a share of its starts."""

    name = "fake"

    def __init__(self, faults: float, home: Path) -> None:
        self._faults = faults
        self._home = home

    async def start(self, spec: SandboxSpec) -> Sandbox:
        if random.random() < self._faults:
            raise SandboxUnavailable("The engine answers with an error.")
        root = new_root(self._home)
        sandbox = FaultySandbox(root, spec.workspace, self._faults, spec.env)
        for command in spec.setup:
            done = await sandbox.bash(command)
            if done.exit_code != 0:
                raise SetupFailed(f"The set-up command {command!r} ended with {done.exit_code}.")
        return sandbox


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
