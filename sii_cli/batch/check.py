"""Runs a query's check where the model was never: in a sandbox that is made for this one check.

Its home is empty and its image is as it was built; only the workspace is the session's. A query
that has `setup` or `check_files` is checked over its workspace as it was at first, set up again,
into which the session's files are then brought, all but those that the check reads.
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
from sii_cli.batch.result_files import NOT_BROUGHT
from sii_cli.batch.workspaces import remove_workspace

CHECK_SECONDS = 600.0
CHECK_OUTPUT = 8 << 10
"""Bytes of a check's output that are kept, and sent as feedback: its end."""
_RESULT = "/run/sii-result"
"""Where the session's workspace is shown, read-only, while its files are brought."""
_BRING = Path(__file__).with_name("result_files.py")


class _NotBrought(Exception):
    """The session left a workspace that cannot be read: it fails, and is no fault of a machine."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Runs the check of one session as often as it is asked."""

    command: str
    files: tuple[str, ...]
    """Patterns of the files that the check takes from the query, never from the session."""
    backend: SandboxBackend
    spec: SandboxSpec
    """Of the session's own sandbox."""
    make_original: Callable[[], Path]
    """Makes another copy of the query's workspace, in a folder of its own. Blocks."""

    async def run(
        self,
        round_number: int,
        *,
        seconds: float = CHECK_SECONDS,
        watch: OnNetworkUse | None = None,
    ) -> Check:
        """Run the check, for `seconds` at most in all; `watch` is told what it asks of the network.

        Raises `SandboxError` when no sandbox can be had, and `WorkspaceUnavailable`.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds), self._place() as sandbox:
                sandbox.watch_network(watch)
                left = max(0.0, seconds - (time.monotonic() - started))
                done = await sandbox.bash(self.command, timeout=left, fresh=True)
            exit_code, timed_out = done.exit_code, done.timed_out
            output = done.output[-CHECK_OUTPUT:].decode("utf-8", "replace")
        except _NotBrought as error:
            exit_code, timed_out = NOT_BROUGHT, False
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
        """Yield a sandbox over the files that the session left."""
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
                await self._bring(sandbox)
            yield sandbox

    async def _bring(self, sandbox: Sandbox) -> None:
        program = _BRING.read_text("utf-8")
        argv = ["python3", "-I", "-c", program, _RESULT, WORKSPACE, *self.files]
        done = await sandbox.run(argv, timeout=CHECK_SECONDS, cwd="/")
        if done.exit_code != 0:
            words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            if done.exit_code == NOT_BROUGHT:
                raise _NotBrought(words)
            raise SandboxUnavailable(f"The session's files cannot be brought to the check: {words}")
