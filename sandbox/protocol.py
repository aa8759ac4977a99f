"""The protocol of sandboxes: backends implement it, tools use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sandbox.ports import Ports

WORKSPACE = "/workspace"
"""Where the workspace is inside every sandbox."""

OnOutput = Callable[[bytes], None]
"""Called in the event loop with raw output as it arrives."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A host directory shown read-only inside the sandbox."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sandbox may use. Sizes in bytes, times in seconds."""

    memory: int = 4 << 30
    cpus: float = 2.0
    pids: int = 512
    tmp: int = 1 << 30
    """Size of /tmp (its pages count as memory)."""
    disk: int = 16 << 30
    """What one session may write to the workspace and the image's own directories."""
    file_size: int = 8 << 30
    open_files: int = 4096
    output: int = 16 << 20
    """Bytes of one command's output that are kept; the rest is counted and dropped."""
    command_timeout: float = 120.0
    """Time limit of a command for which the caller gives none."""
    command_timeout_max: float = 3600.0
    shm: int = 64 << 20
    """Size of /dev/shm (its pages count as memory)."""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What to start."""

    workspace: Path
    image: str = "sii-sandbox:latest"
    limits: Limits = Limits()
    allow_net: tuple[str, ...] = ()
    """Allowed hosts and names of networks; empty means no network."""
    allow_net_private: tuple[str, ...] = ()
    """Those of the allowed hosts that may be in a private network."""
    env: dict[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    setup: tuple[str, ...] = ()
    """Commands run once in the workspace before the first call."""
    read_only: bool = False
    """The workspace is mounted read-only."""


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """What was started."""

    backend: str
    sandbox_id: str
    image: str | None
    image_digest: str | None
    limits: Limits
    network: tuple[str, ...]
    uid: int
    gid: int
    start_seconds: float
    unlimited: tuple[str, ...] = ()
    """Names of the limits that this backend cannot hold."""


LimitName = Literal[
    "time", "output", "memory", "pids", "file_size", "open_files", "disk", "machine_disk", "tmp"
]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a shell command or a piece of python ended.

    `output` holds stdout and stderr in order, raw, up to `Limits.output`: when more came, the
    first and the last half of that, with `dropped` bytes missing at `dropped_at`.
    """

    output: bytes
    exit_code: int | None
    """None: ended by a signal or with the shell itself."""
    seconds: float
    signal: int | None = None
    timed_out: bool = False
    out_of_memory: bool = False
    """The engine reports that the memory limit killed a process meanwhile."""
    dropped: int = 0
    dropped_at: int = 0
    output_held: bool = False
    """A background process still holds the command's output open."""
    lost_state: str | None = None
    """The shell or interpreter had to be restarted: what was lost, in words."""
    cwd: str | None = None
    limits_hit: tuple[LimitName, ...] = ()
    """Limits that the command ran into. `memory` and `pids` are the kernel's counts for the whole
    sandbox meanwhile; `open_files` is read from the words of a command that failed."""
    outage: bool = False
    """A process that ran meanwhile found this machine without a network, at an allowed host."""
    refused: tuple[str, ...] = ()
    """What the network refused meanwhile, in sentences with the remedy."""


@dataclass(frozen=True, slots=True)
class Job:
    """The state of a command in the background."""

    job_id: int
    command: str
    running: bool
    seconds: float
    """Since its start, or until its end."""
    exit_code: int | None = None
    signal: int | None = None
    stopped: bool = False
    """It was ended by `stop_job`."""
    limits_hit: tuple[LimitName, ...] = ()
    """Limits of the whole sandbox that were hit while it ran."""
    ports: tuple[int, ...] = ()
    """TCP ports that it was seen to listen on, as they were noticed: the first 16."""


@dataclass(frozen=True, slots=True)
class JobOutput:
    """Output of a job since it was last read."""

    data: bytes
    missed: int
    """Bytes before `data` that are not kept: too many came, or too many jobs ended since."""
    job: Job


@dataclass(frozen=True, slots=True)
class FileData:
    """A file's bytes (from `offset`, at most what was asked for) and what it is."""

    data: bytes
    size: int
    mode: int
    mtime: float
    path: str
    """Absolute, symlinks resolved."""
    sha256: str | None = None
    """Of the whole file, when all of it was read."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a program ended that ran outside the persistent shell."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """A request from inside to the network, and its result. Sizes in bytes."""

    host: str
    """As it was requested, in canonical form where it has one; empty when it could not be read."""
    port: int
    method: str
    """`CONNECT` for a tunnel, otherwise the HTTP method."""
    allowed: bool
    reason: str = ""
    """Why it was refused or failed: not_allowed, not_public, misdirected (a tunnel's TLS is for
    another host), unknown_host, unreachable, no_network (of this machine), timeout, bad_request,
    bad_answer, broken (one side left), closed (the sandbox ended); empty when it went well."""
    address: str | None = None
    """What was connected to."""
    status: int | None = None
    """HTTP status that the client received; None when it left before."""
    sent: int = 0
    """Bytes of bodies, or through the tunnel; `received` alike."""
    received: int = 0
    seconds: float = 0.0


OnNetworkUse = Callable[[NetworkUse], None]
"""Called in the event loop when a request is over."""


class SandboxError(Exception):
    """The base of this package's errors. The message is one sentence with the remedy.

    SandboxUnavailable, SandboxLost, FileError, UnknownJob; `sandbox.snapshots.SnapshotError` with
    SnapshotNotFound and SnapshotDamaged.
    """


class SandboxUnavailable(SandboxError):
    """Raised when nothing can be started here: no engine, no image or no rights."""


class SetupFailed(SandboxUnavailable):
    """Raised when a set-up command fails: another sandbox would not help."""


class SandboxLost(SandboxError):
    """Raised when the sandbox died during a call; another can be started."""


class FileError(SandboxError):
    """Raised when a file operation is refused; `kind` says why, the message is for the model.

    Kinds: not_found, is_directory, not_a_file, permission, read_only, too_large, changed,
    no_space, invalid_path, timeout, other.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class UnknownJob(SandboxError):
    """Raised when no job has an id; the message names the existing ones."""


class JobControl(Protocol):
    """Commands in the background. They start in the shell's directory, with its environment."""

    async def start_job(self, command: str) -> Job:
        """Start a command that runs beside later calls."""
        ...

    def jobs(self) -> list[Job]:
        """Return every job of the session, also ended ones, in order."""
        ...

    def ended_jobs(self) -> list[Job]:
        """Return the jobs that ended since the last call: each is returned once."""
        ...

    async def read_job(self, job_id: int, *, limit: int = 1 << 20) -> JobOutput:
        """Return what the job wrote since the last read, stdout and stderr in order."""
        ...

    async def wait_job(
        self, job_id: int, *, timeout: float, on_output: OnOutput | None = None
    ) -> Job:
        """Wait until the job has ended, or `timeout` seconds.

        `on_output` receives what it writes meanwhile; `read_job` returns it as well.
        """
        ...

    async def stop_job(self, job_id: int) -> Job:
        """End the job and its processes: TERM, then KILL."""
        ...


class Sandbox(JobControl, Ports, Protocol):
    """A started sandbox. Methods raise `SandboxLost` when it is gone.

    Cancelling a call ends what it runs (the shell and its state stay).
    Paths are absolute, or relative to the workspace; they are resolved inside the sandbox.
    """

    @property
    def info(self) -> SandboxInfo:
        """What was started."""
        ...

    @property
    def lost(self) -> str | None:
        """Why it is gone; None while it runs, as far as is known without a request."""
        ...

    async def bash(
        self,
        command: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        fresh: bool = False,
    ) -> CommandResult:
        """Run `command` in the session's shell, or in a fresh one that shares no state."""
        ...

    async def python(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: OnOutput | None = None,
        restart: bool = False,
    ) -> CommandResult:
        """Run `code` in the session's interpreter, whose state is kept between calls.

        `exit_code` is 1 when the code raised. `restart` begins with an empty interpreter.
        """
        ...

    async def run(
        self,
        argv: list[str],
        *,
        timeout: float = 60.0,
        cwd: str = WORKSPACE,
        max_output: int = 16 << 20,
    ) -> ProcessResult:
        """Run a program to its end, at the commands' uid, with stdout and stderr apart.

        Raises `TimeoutError`.
        """
        ...

    async def read_file(self, path: str, *, offset: int = 0, limit: int = 64 << 20) -> FileData:
        """Read a regular file. Raises `FileError` (devices and FIFOs are refused, never opened)."""
        ...

    async def write_file(
        self, path: str, data: bytes, *, expected_sha256: str | None = None
    ) -> FileData:
        """Replace a file's content atomically (or make it, with its parents), mode kept.

        With `expected_sha256` the write is refused (`changed`) when the file's content is
        another; an empty string expects that there is no file. The result's `data` is empty.
        """
        ...

    def watch_network(self, watcher: OnNetworkUse | None) -> None:
        """Report every request to the network from now on, and those not reported yet."""
        ...

    async def ping(self) -> float:
        """Return the seconds of a round trip; works while commands run."""
        ...

    async def kill_all(self) -> None:
        """End every process but the runner; state is lost."""
        ...

    async def freeze(self) -> None:
        """Stop every process but the runner until `unfreeze`; they do not notice."""
        ...

    async def unfreeze(self) -> None:
        """Continue the frozen processes."""
        ...

    async def close(self) -> None:
        """End the sandbox and all that runs in it. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox on this machine, as its backend lists it from outside."""

    sandbox_id: str
    backend: str
    state: str
    """As the backend names it: `running`, `paused`, `created`, …"""
    owner: int | None
    """Pid of the process that started it, or None when its label cannot be read."""
    owner_lives: bool
    seconds: float
    """Since it was made."""
    memory: int | None
    """Bytes, without what the kernel can drop; None when it cannot be measured."""
    workspace: str | None
    image: str | None


class SandboxBackend(Protocol):
    """A way to make sandboxes."""

    name: str

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """Start a sandbox. Raises `SandboxUnavailable` with the remedy."""
        ...


SandboxProvider = Callable[[], Awaitable[Sandbox]]
"""Returns the session's sandbox: waits while it starts, replaces it when it was lost."""
