"""Runs a query's check in a sandbox that is started for this check alone.

Its home is empty and its image is as it was built; only the workspace is the session's. A query
that has `setup` or `check_files` is checked in a new copy of its workspace, set up again, into
which the session's files are copied, all but those that `check_files` names.
A check that could not run is an error, and no verdict: nobody knows whether the query is solved.
One that began and did not end in time failed: code of the session that it runs may wait forever.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from recordings.events import Check
from sandbox.protocol import (
    WORKSPACE,
    CommandResult,
    FileError,
    Mount,
    OnNetworkUse,
    Sandbox,
    SandboxBackend,
    SandboxSpec,
    SandboxUnavailable,
    SetupFailed,
)
from sii_cli.queries.check.report import (
    LARGEST,
    VARIABLE,
    CheckReport,
    MalformedReport,
    read_report,
)
from sii_cli.queries.check.result_files import UNREADABLE
from sii_cli.queries.workspaces.copies import remove_copy
from sii_cli.queries.workspaces.stopping import in_stoppable_thread

CHECK_SECONDS = 600.0
CHECK_OUTPUT = 8 << 10
"""Bytes of the end of a check's output that are kept, and sent as feedback."""
CANNOT_RUN = {
    126: "its command cannot be executed (exit code 126)",
    127: "a command of it was not found (exit code 127)",
}
"""Exit codes with which a shell says that a command did not run."""
_RESULT = "/run/sii-result"
"""Where the session's workspace is mounted, read-only, while its files are copied."""
_REPORT = f"its report (${VARIABLE}) is malformed"
_COPY_PROGRAM = Path(__file__).with_name("result_files.py")


class _Unreadable(Exception):
    """Raised when the session left a workspace that cannot be read: its own failure."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a check ended."""

    exit_code: int | None
    output: str = ""
    report: CheckReport | None = None
    error: str | None = None


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
    pass_at: float | None = None
    """The score that decides alone, if the check reports one."""

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
        # Nothing is there before the check: its name cannot be known to the session.
        report = f"/tmp/sii-check-{secrets.token_hex(8)}.json"
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(seconds):
                    sandbox = await stack.enter_async_context(self._place(report))
                sandbox.watch_network(on_network_use)
                left = max(0.0, seconds - (time.monotonic() - started))
                done = await sandbox.bash(self.command, timeout=left, fresh=True)
                ended = await self._ended(sandbox, report, done, seconds)
        except _Unreadable as error:
            said = f"The workspace cannot be read for the check: {error}"
            ended = _Ended(UNREADABLE, said)
        except SetupFailed as error:
            ended = _Ended(None, error=str(error))
        except TimeoutError:
            ended = _Ended(None, error=f"it did not begin within {seconds:.0f} s")
        return Check(
            round=round_number,
            command=self.command,
            exit_code=ended.exit_code,
            passed=ended.error is None and self._passed(ended),
            output=ended.output,
            seconds=round(time.monotonic() - started, 6),
            score=ended.report.share if ended.report else None,
            requirements=ended.report.recorded if ended.report else None,
            error=ended.error,
        )

    def _passed(self, ended: _Ended) -> bool:
        """Return whether the query is solved.

        Code of the session may write a report, too: so a score alone decides only where the query
        asks for that.
        """
        if ended.report is None:
            return ended.exit_code == 0
        if self.pass_at is not None:
            return ended.report.share >= self.pass_at
        return ended.exit_code == 0 and ended.report.share == 1

    async def _ended(
        self, sandbox: Sandbox, report: str, done: CommandResult, seconds: float
    ) -> _Ended:
        """Return how a check ended, with its report."""
        output = done.output[-CHECK_OUTPUT:].decode("utf-8", "replace")
        if done.timed_out:
            return _Ended(None, f"{output}\n(stopped after {seconds:.0f} s)")
        if (why := CANNOT_RUN.get(done.exit_code or 0)) is not None:
            return _Ended(done.exit_code, output, error=why)
        try:
            found = await sandbox.read_file(report, limit=LARGEST)
            if found.size > LARGEST:
                raise MalformedReport(f"it is larger than {LARGEST >> 10} KiB")
            return _Ended(done.exit_code, output, read_report(found.data))
        except FileError as error:
            if error.kind == "not_found":
                return _Ended(done.exit_code, output)
            return _Ended(done.exit_code, output, error=f"{_REPORT}: {error}")
        except MalformedReport as error:
            return _Ended(done.exit_code, output, error=f"{_REPORT}: {error}")

    @asynccontextmanager
    async def _place(self, report: str) -> AsyncIterator[Sandbox]:
        """Start a sandbox with the files that the session left."""
        async with AsyncExitStack() as stack:
            spec = replace(self.spec, env={**self.spec.env, VARIABLE: report})
            has_own = (self.spec.setup or self.files) and not self.spec.read_only
            if has_own:
                original = await in_stoppable_thread(self.make_original)
                stack.push_async_callback(remove_copy, original)
                result = Mount(spec.workspace, _RESULT)
                limits = replace(spec.limits, disk=spec.limits.disk + self._most_copied)
                spec = replace(
                    spec, workspace=original, mounts=(*spec.mounts, result), limits=limits
                )
            sandbox = await self.backend.start(spec)
            stack.push_async_callback(sandbox.close)
            if has_own:
                await self._copy_result(sandbox)
            yield sandbox

    @property
    def _most_copied(self) -> int:
        """Bytes: the query's workspace, and what its session added, are limited to `disk` each."""
        return 2 * self.spec.limits.disk

    async def _copy_result(self, sandbox: Sandbox) -> None:
        program = _COPY_PROGRAM.read_text("utf-8")
        most = str(self._most_copied)
        argv = ["python3", "-I", "-c", program, _RESULT, WORKSPACE, most, *self.files]
        done = await sandbox.run(argv, timeout=CHECK_SECONDS, cwd="/")
        if done.exit_code != 0:
            words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            if done.exit_code == UNREADABLE:
                raise _Unreadable(words)
            raise SandboxUnavailable(f"The session's files cannot be copied for the check: {words}")
