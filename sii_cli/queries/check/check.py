"""Runs a query's check in a sandbox that is started for this check alone.

Its home is empty and its image is as it was built; only the workspace is the session's. A query
that has `setup` or `check_files` is checked in a new copy of its workspace, set up again, into
which the session's files are copied, all but those that `check_files` names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from recordings.events import Check
from sandbox.protocol import (
    WORKSPACE,
    Mount,
    OnNetworkUse,
    Sandbox,
    SandboxBackend,
    SandboxSpec,
    SandboxUnavailable,
)
from sii_cli.queries.check.result_files import UNREADABLE
from sii_cli.queries.workspaces.copies import remove_workspace

CHECK_SECONDS = 600.0
CHECK_OUTPUT = 8 << 10
"""Bytes of the end of a check's output that are kept, and sent as feedback."""
_RESULT = "/run/sii-result"
"""Where the session's workspace is mounted, read-only, while its files are copied."""
_COPY_PROGRAM = Path(__file__).with_name("result_files.py")


class _Unreadable(Exception):
    """Raised when the session left a workspace that cannot be read: its own failure."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Runs the check of one session, after each of its rounds."""

    command: str
    files: tuple[str, ...]
    """Patterns of the files that come from the query, never from the session."""
    backend: SandboxBackend
    spec: SandboxSpec
    """Of the session's own sandbox."""
    make_original: Callable[[], Path]
    """Makes another copy of the query's workspace, in a new folder. Blocks."""

    async def run(
        self,
        round_number: int,
        *,
        seconds: float = CHECK_SECONDS,
        on_network_use: OnNetworkUse | None = None,
    ) -> Check:
        """Run the check, for `seconds` at most in all; `on_network_use` receives its requests.

        Raises `SandboxError` when no sandbox can be started, and `WorkspaceUnavailable`.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds), self._place() as sandbox:
                sandbox.watch_network(on_network_use)
                left = max(0.0, seconds - (time.monotonic() - started))
                done = await sandbox.bash(self.command, timeout=left, fresh=True)
            exit_code, timed_out = done.exit_code, done.timed_out
            output = done.output[-CHECK_OUTPUT:].decode("utf-8", "replace")
        except _Unreadable as error:
            exit_code, timed_out = UNREADABLE, False
            output = f"The workspace cannot be read for the check: {error}"
        except TimeoutError:
            exit_code, timed_out, output = None, True, ""
        if timed_out:
            output += f"\n(stopped after {seconds:.0f} s)"
        return Check(
            round=round_number,
            command=self.command,
            exit_code=exit_code,
            passed=exit_code == 0,
            output=output,
            seconds=round(time.monotonic() - started, 6),
        )

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[Sandbox]:
        """Start a sandbox with the files that the session left."""
        async with AsyncExitStack() as stack:
            spec = self.spec
            has_own = (self.spec.setup or self.files) and not self.spec.read_only
            if has_own:
                original = await asyncio.to_thread(self.make_original)
                stack.push_async_callback(asyncio.to_thread, remove_workspace, original)
                result = Mount(spec.workspace, _RESULT)
                spec = replace(spec, workspace=original, mounts=(*spec.mounts, result))
            sandbox = await self.backend.start(spec)
            stack.push_async_callback(sandbox.close)
            if has_own:
                await self._copy_result(sandbox)
            yield sandbox

    async def _copy_result(self, sandbox: Sandbox) -> None:
        program = _COPY_PROGRAM.read_text("utf-8")
        argv = ["python3", "-I", "-c", program, _RESULT, WORKSPACE, *self.files]
        done = await sandbox.run(argv, timeout=CHECK_SECONDS, cwd="/")
        if done.exit_code != 0:
            words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            if done.exit_code == UNREADABLE:
                raise _Unreadable(words)
            raise SandboxUnavailable(f"The session's files cannot be copied for the check: {words}")
