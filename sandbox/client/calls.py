"""The calls of the `Sandbox` protocol over a runner's stream. Every backend uses them.

What started the sandbox and ends it is the backend's.
"""

from __future__ import annotations

import signal
from collections import deque
from dataclasses import replace

from sandbox.client.connections import ConnectionTable, RunnerConnection
from sandbox.client.jobs import JobTable
from sandbox.client.results import (
    flag,
    limits,
    part_or_none,
    seconds,
    status,
    text,
    text_or_none,
    whole,
)
from sandbox.client.stream import Reply, RunnerStream
from sandbox.network.sandbox_network import SandboxNetwork
from sandbox.ports import OnPort
from sandbox.protocol import (
    WORKSPACE,
    CommandResult,
    FileData,
    FileError,
    Job,
    JobOutput,
    LimitName,
    Limits,
    OnNetworkUse,
    OnOutput,
    ProcessResult,
    SetupFailed,
)
from sandbox.runner.frames import CHUNK, MAX_BODY, Head

_OPEN_FILES = b"Too many open files"
_FILE_SIZE = b"File too large"
_ENVIRONMENT = r"{ \command -p env -0; } 2>/dev/null || :"
"""Also where PATH is empty, `env` is a function, or the shell traces or ends with what fails."""
_TAIL = 4096
_MOST_LOST = 16
"""Losses that are kept to be reported."""


class RunnerCalls:
    """The calls of the `Sandbox` protocol, over a `RunnerStream`."""

    def __init__(self, stream: RunnerStream, limits: Limits, network: SandboxNetwork) -> None:
        self._stream = stream
        self._network = network
        self._limits = limits
        self._jobs = JobTable(stream)
        self._connections = ConnectionTable(stream)
        self._shell_calls = 0
        self._lost_unseen: deque[str] = deque(maxlen=_MOST_LOST)
        """State that ended with calls whose results nobody waited for."""
        stream.on_event["result"] = self._late

    @property
    def lost(self) -> str | None:
        """Why the sandbox is gone; None while it runs."""
        return self._stream.lost

    async def bash(
        self,
        command: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        fresh: bool = False,
    ) -> CommandResult:
        """Run `command` in the session's shell, or in a fresh one that shares no state."""
        source = command.encode("utf-8", "surrogateescape")
        if b"\0" in source:
            words = b"bash: the command holds a NUL character, which no shell can take\n"
            return CommandResult(output=words, exit_code=2, seconds=0.0)
        head: Head = {"op": "bash", "fresh": fresh}
        if fresh:
            return await self._command(head, source, timeout, on_output)
        self._shell_calls += 1
        try:
            return await self._command(head, source, timeout, on_output)
        finally:
            self._shell_calls -= 1

    async def python(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        restart: bool = False,
    ) -> CommandResult:
        """Run `code` in the session's interpreter, whose state is kept between calls."""
        source = code.encode("utf-8", "surrogatepass")
        head: Head = {"op": "python", "restart": restart}
        return await self._command(head, source, timeout, on_output)

    async def _command(
        self, head: Head, source: bytes, timeout: float | None, on_output: OnOutput | None
    ) -> CommandResult:
        limit = self._limits.command_timeout if timeout is None else timeout
        limit = min(max(limit, 0.0), self._limits.command_timeout_max)
        if len(source) > MAX_BODY:
            words = f"{head['op']}: {len(source)} bytes are too long for a command: use a file\n"
            return CommandResult(output=words.encode(), exit_code=2, seconds=0.0)
        log = self._network.log
        refused, outages = log.refused, log.outages
        head = {**head, "timeout": limit}
        asks = self._limits.output
        reply = await self._stream.call(head, source, on_output=on_output, asks=asks)
        with self._stream.understood():
            lost = [*self._lost_unseen, text_or_none(reply.head, "lost")]
            result = _command_result(reply, lost, log.refused_since(refused))
        self._lost_unseen.clear()
        return replace(result, outage=True) if log.outages > outages else result

    def _late(self, head: Head, body: bytes) -> None:
        """Keep what the result of a cancelled call says was lost, for the next result to tell."""
        if lost := text_or_none(head, "lost"):
            self._lost_unseen.append(lost)

    async def run(
        self,
        argv: list[str],
        *,
        timeout: float = 60.0,
        cwd: str = WORKSPACE,
        max_output: int = 16 << 20,
    ) -> ProcessResult:
        """Run a program to its end. Raises `TimeoutError`."""
        head = {"op": "run", "argv": argv, "timeout": timeout, "cwd": cwd, "max_output": max_output}
        reply = await self._stream.call(head, asks=2 * max_output)
        with self._stream.understood():
            timed_out = flag(reply.head, "timed_out")
            result = ProcessResult(
                exit_code=status(reply.head, "exit_code") or 0,
                stdout=reply.output,
                stderr=reply.stderr,
                truncated=flag(reply.head, "truncated"),
            )
        if timed_out:
            raise TimeoutError(f"{argv[0]} was ended after {timeout:g} s.")
        return result

    async def read_file(self, path: str, *, offset: int = 0, limit: int = 64 << 20) -> FileData:
        """Read a regular file. Raises `FileError`."""
        head = {"op": "read", "path": path, "offset": offset, "limit": limit}
        reply = await self._stream.call(head, asks=limit)
        with self._stream.understood():
            return _file_data(reply.head, reply.output)

    async def write_file(
        self, path: str, data: bytes, *, expected_sha256: str | None = None
    ) -> FileData:
        """Replace a file's content atomically, or make the file. Raises `FileError`."""
        head = {"op": "write", "path": path, "size": len(data), "expected": expected_sha256}
        reply = await self._stream.call(head, data[:CHUNK], upload=data)
        with self._stream.understood():
            return _file_data(reply.head, b"")

    def watch_network(self, watcher: OnNetworkUse | None) -> None:
        """Report every request to the network from now on, and those not reported yet."""
        self._network.watch(watcher)

    async def ping(self) -> float:
        """Seconds for a round trip; answers while commands run."""
        return await self._stream.ping()

    async def kill_all(self) -> None:
        """End every process but the runner; state is lost."""
        await self._stream.call({"op": "kill_all"})

    async def freeze(self) -> None:
        """Stop every process but the runner until `unfreeze`; they do not notice."""
        await self._stream.call({"op": "freeze"})

    async def unfreeze(self) -> None:
        """Continue the frozen processes."""
        await self._stream.call({"op": "unfreeze"})

    async def start_job(self, command: str) -> Job:
        """Start a command in the background, where the shell is and with its environment."""
        # A shell that is busy cannot be asked: then the job starts as a fresh shell does.
        if self._shell_calls:
            return await self._jobs.start(command, None)
        place = await self.bash(_ENVIRONMENT)
        if place.lost_state:
            self._lost_unseen.append(place.lost_state)
        return await self._jobs.start(command, place)

    def jobs(self) -> list[Job]:
        """Every job of the session."""
        return self._jobs.all()

    def ended_jobs(self) -> list[Job]:
        """Return the jobs that ended since this was last asked."""
        return self._jobs.ended()

    async def read_job(self, job_id: int, *, limit: int = 1 << 20) -> JobOutput:
        """What the job wrote since the last reading. Raises `UnknownJob`."""
        return await self._jobs.read(job_id, limit)

    async def wait_job(
        self, job_id: int, *, timeout: float, on_output: OnOutput | None = None
    ) -> Job:
        """Wait until the job has ended, or `timeout` seconds. Raises `UnknownJob`."""
        return await self._jobs.wait(job_id, timeout, on_output)

    async def stop_job(self, job_id: int) -> Job:
        """End the job and what it started. Raises `UnknownJob`."""
        return await self._jobs.stop(job_id)

    def watch_ports(self, watcher: OnPort | None) -> None:
        """Report every port that a job is seen to listen on from now on."""
        self._jobs.watcher = watcher

    async def connect(self, port: int) -> RunnerConnection:
        """Connect to a TCP port inside. Raises `ConnectionRefusedError`."""
        return await self._connections.connect(port)

    async def prepare(self, commands: tuple[str, ...]) -> None:
        """Run the set-up commands.

        Raises `SetupFailed` when one fails, or loses what those before it set up.
        """
        for command in commands:
            result = await self.bash(command, timeout=self._limits.command_timeout_max)
            if result.exit_code != 0 or result.lost_state:
                words = result.output[-_TAIL:].decode("utf-8", "replace").strip()
                raise SetupFailed(
                    f"The set-up command {command!r} {_ending(result)}: {words or '(no output)'}"
                )


def _ending(result: CommandResult) -> str:
    if result.timed_out:
        return f"was ended after {result.seconds:.0f} s"
    if result.exit_code == 0:
        return f"ended with 0, and {result.lost_state}"
    if result.exit_code is not None:
        return f"ended with {result.exit_code}"
    if result.signal is not None:
        return f"was killed by signal {result.signal}"
    return f"could not be run to its end, for {result.lost_state}"


def _command_result(
    reply: Reply, lost: list[str | None], refused: tuple[str, ...]
) -> CommandResult:
    head = reply.head
    return CommandResult(
        output=reply.output,
        exit_code=status(head, "exit_code"),
        seconds=seconds(head, "seconds"),
        signal=status(head, "signal"),
        timed_out=flag(head, "timed_out"),
        out_of_memory="memory" in limits(head, "limits"),
        dropped=whole(head, "dropped"),
        dropped_at=whole(head, "dropped_at") if head["dropped"] else 0,
        output_held=flag(head, "held"),
        lost_state=" ".join(filter(None, lost)) or None,
        cwd=text_or_none(head, "cwd"),
        limits_hit=_limits_hit(head, reply.output),
        refused=refused,
    )


def _limits_hit(head: Head, output: bytes) -> tuple[LimitName, ...]:
    """Return what the runner counted, and what a failed command's last words say."""
    hit: list[LimitName] = list(limits(head, "limits"))
    if head["timed_out"]:
        hit.append("time")
    if head["dropped"]:
        hit.append("output")
    if head["exit_code"] != 0:
        last = output[-_TAIL:]
        if head["signal"] == signal.SIGXFSZ or _FILE_SIZE in last:
            hit.append("file_size")
        if _OPEN_FILES in last:
            hit.append("open_files")
    return tuple(hit)


def _file_data(head: Head, data: bytes) -> FileData:
    error = part_or_none(head, "error")
    if error is not None:
        raise FileError(text(error, "kind"), text(error, "message"))
    return FileData(
        data=data,
        size=whole(head, "size"),
        mode=whole(head, "mode"),
        mtime=seconds(head, "mtime"),
        path=text(head, "path"),
        sha256=text_or_none(head, "sha256"),
    )
