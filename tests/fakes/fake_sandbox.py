"""A sandbox without an engine: a directory of the host and its bash, for fast tests of tools.

It keeps the protocol where tools can tell: state lives on between calls, time limits end a
command's group, file errors have their kinds. It isolates nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

from sandbox.protocol import (
    WORKSPACE,
    CommandResult,
    FileData,
    FileError,
    Limits,
    OnNetworkUse,
    OnOutput,
    ProcessResult,
    SandboxInfo,
)
from tests.fakes.fake_connection import FakeConnection
from tests.fakes.fake_jobs import FakeJobs

_BASH = """
[ -f "$1" ] && . "$1" 2>/dev/null
cd "$(cat "$1.cwd")" || exit 1
eval "$2"
set -- "$1" "$?"
pwd >"$1.cwd"
{ declare -p | grep -vE '^declare -[a-zA-Z]*r'; declare -f; } >"$1"
exit "$2"
"""

_PYTHON = """
import ast, json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    code = json.loads(line)
    status = 0
    try:
        tree = ast.parse(code)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<code>", "exec"), names)
        if last:
            value = eval(compile(ast.Expression(last.value), "<code>", "eval"), names)
            if value is not None:
                print(repr(value))
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        status = 1
    sys.stdout.write(f"\\0{status}\\n")
    sys.stdout.flush()
"""


def new_root(home: Path) -> Path:
    """A new folder beside a test's home: gone with it, also when its process is killed."""
    home.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="sii-test-", dir=home.parent))


class FakeSandbox(FakeJobs):
    """The sandbox protocol on a directory of the host."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        super().__init__()
        self.workspace = root / "workspace"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self._state = root / "state"
        Path(f"{self._state}.cwd").write_text(str(self.workspace))
        self._limits = limits or Limits()
        self._interpreter: asyncio.subprocess.Process | None = None
        self.lost: str | None = None
        self.info = SandboxInfo(
            backend="fake",
            sandbox_id=f"fake-{secrets.token_hex(6)}",
            image=None,
            image_digest=None,
            limits=self._limits,
            network=(),
            uid=os.getuid(),
            gid=os.getgid(),
            start_seconds=0.0,
        )

    def watch_network(self, watcher: OnNetworkUse | None) -> None:
        """Tell `watcher` of nothing: the network is not looked at."""

    async def connect(self, port: int) -> FakeConnection:
        """Connect to a port of the host."""
        return FakeConnection(*await asyncio.open_connection("127.0.0.1", port))

    async def provide(self) -> FakeSandbox:
        """Be a `SandboxProvider`."""
        return self

    async def bash(
        self,
        command: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        fresh: bool = False,
    ) -> CommandResult:
        """Run a command in a new bash that begins with the state the last one left."""
        started = time.monotonic()
        limit = timeout or self._limits.command_timeout
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", _BASH, "bash", str(self._state), command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        output, timed_out = await _collect(process, limit, on_output)
        code = process.returncode
        killed = code is not None and code < 0
        return CommandResult(
            output=output,
            exit_code=None if killed or timed_out else code,
            seconds=time.monotonic() - started,
            signal=-code if killed and code and not timed_out else None,
            timed_out=timed_out,
        )

    async def python(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        restart: bool = False,
    ) -> CommandResult:
        """Run code in one interpreter; one that exits or runs too long loses its state."""
        started = time.monotonic()
        if restart:
            await self._end_interpreter()
        if self._interpreter is None:
            self._interpreter = await asyncio.create_subprocess_exec(
                *(sys.executable, "-u", "-c", _PYTHON),
                cwd=self.workspace,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        streams = self._interpreter
        assert streams.stdin
        assert streams.stdout
        streams.stdin.write(json.dumps(code).encode() + b"\n")
        try:
            async with asyncio.timeout(timeout or self._limits.command_timeout):
                answer = await streams.stdout.readuntil(b"\0")
                status: int | None = int(await streams.stdout.readline())
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            await self._end_interpreter()
            partial = getattr(error, "partial", b"")
            return CommandResult(
                output=partial,
                exit_code=None,
                seconds=time.monotonic() - started,
                timed_out=isinstance(error, TimeoutError),
                lost_state="the interpreter was started again: variables and imports are lost",
            )
        output = answer[:-1]
        if on_output and output:
            on_output(output)
        return CommandResult(output, status, time.monotonic() - started)

    async def run(
        self,
        argv: list[str],
        *,
        timeout: float = 60.0,
        cwd: str = WORKSPACE,
        max_output: int = 16 << 20,
    ) -> ProcessResult:
        """Run a program of the host."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=self._host_path(cwd),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
        truncated = len(out) > max_output
        return ProcessResult(process.returncode or 0, out[:max_output], err, truncated)

    async def read_file(self, path: str, *, offset: int = 0, limit: int = 64 << 20) -> FileData:
        """Read a file of the directory; there is none outside of it."""
        if path.startswith("/") and not path.startswith(f"{WORKSPACE}/"):
            raise FileError("not_found", f"There is no file {path}.")
        return self._file_data(self._existing(path), offset, limit)

    async def write_file(
        self, path: str, data: bytes, *, expected_sha256: str | None = None
    ) -> FileData:
        """Replace a file of the directory atomically."""
        host = self._host_path(path)
        mode = 0o644
        if host.exists():
            mode = self._existing(path).stat().st_mode & 0o7777
        if expected_sha256 is not None:
            found = hashlib.sha256(host.read_bytes()).hexdigest() if host.exists() else ""
            if found != expected_sha256:
                raise FileError("changed", f"{path} is not what it was.")
        host.parent.mkdir(parents=True, exist_ok=True)
        temporary = host.with_name(f".{host.name}.new")
        temporary.write_bytes(data)
        temporary.chmod(mode)
        temporary.replace(host)
        return self._file_data(host, 0, 0, hashlib.sha256(data).hexdigest())

    async def ping(self) -> float:
        """Answer at once."""
        return 0.0

    async def kill_all(self) -> None:
        """End the interpreter and the jobs."""
        await self._end_interpreter()
        await self.end_jobs()

    async def freeze(self) -> None:
        """Do nothing: what runs here is a test's own."""

    async def unfreeze(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """End the interpreter and the jobs."""
        await self.kill_all()

    def _host_path(self, path: str) -> Path:
        if "\0" in path:
            raise FileError("invalid_path", "The path holds a NUL character.")
        inside = os.path.normpath(os.path.join(WORKSPACE, path))
        if inside != WORKSPACE and not inside.startswith(f"{WORKSPACE}/"):
            raise FileError("invalid_path", f"{path} is outside {WORKSPACE}.")
        return self.workspace / inside.removeprefix(WORKSPACE).lstrip("/")

    def _existing(self, path: str) -> Path:
        host = self._host_path(path).resolve()
        try:
            mode = host.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise FileError("not_found", f"There is no file {path}.") from None
        except OSError as error:
            raise FileError("invalid_path", f"{path}: {error.strerror}.") from None
        if stat.S_ISDIR(mode):
            raise FileError("is_directory", f"{path} is a directory.")
        if not stat.S_ISREG(mode):
            raise FileError("not_a_file", f"{path} is not a regular file.")
        return host

    def _file_data(
        self, host: Path, offset: int, limit: int, sha256: str | None = None
    ) -> FileData:
        info = host.stat()
        with host.open("rb") as file:
            file.seek(offset)
            data = file.read(limit) if limit else b""
        if offset == 0 and limit and len(data) == info.st_size:
            sha256 = hashlib.sha256(data).hexdigest()
        relative = host.relative_to(self.workspace.resolve())
        path = f"{WORKSPACE}/{relative}"
        return FileData(data, info.st_size, info.st_mode & 0o7777, info.st_mtime, path, sha256)

    async def _end_interpreter(self) -> None:
        if self._interpreter is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._interpreter.kill()
        await self._interpreter.wait()
        self._interpreter = None


async def _collect(
    process: asyncio.subprocess.Process, limit: float, on_output: OnOutput | None
) -> tuple[bytes, bool]:
    """Read a process's output to its end or to the time limit."""
    assert process.stdout
    pieces: list[bytes] = []
    timed_out = False
    try:
        async with asyncio.timeout(limit):
            while piece := await process.stdout.read(1 << 16):
                pieces.append(piece)
                if on_output:
                    on_output(piece)
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        timed_out = True
    return b"".join(pieces), timed_out
