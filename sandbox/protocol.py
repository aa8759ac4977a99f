"""What every sandbox can do: the one protocol that backends implement and tools use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

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
    """What may be written to the workspace and the image's own directories in one session."""
    file_size: int = 8 << 30
    open_files: int = 4096
    output: int = 16 << 20
    """Bytes of one command's output that are kept; the rest is counted and dropped."""
    command_timeout: float = 120.0
    """Time limit of a command that asks for none."""
    command_timeout_max: float = 3600.0


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What to start."""

    workspace: Path
    image: str = "sii-sandbox:latest"
    limits: Limits = Limits()
    allow_net: tuple[str, ...] = ()
    """Hosts that may be reached; empty: no network."""
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
    """The engine says that the memory limit killed something meanwhile."""
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
    """Something that ran meanwhile found no network on this machine, through an open host."""
    refused: tuple[str, ...] = ()
    """What the network refused to whatever ran meanwhile, in sentences with the remedy."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command in the background: what is known of it now."""

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


@dataclass(frozen=True, slots=True)
class JobOutput:
    """What a job wrote since it was last read."""

    data: bytes
    missed: int
    """Bytes before `data` that are not kept: too many came, or too many jobs ended since."""
    job: Job


FileKind = Literal["file", "directory", "other"]


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
    """How a program run to its end outside the persistent shell ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """What something inside asked of the network, and what became of it. Sizes in bytes."""

    host: str
    """As it was asked for, in canonical form where it has one; empty when none could be read."""
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
    """HTTP status that the client was answered with; none when it left before."""
    sent: int = 0
    """Bytes of bodies, or through the tunnel; `received` alike."""
    received: int = 0
    seconds: float = 0.0


OnNetworkUse = Callable[[NetworkUse], None]
"""Called in the event loop when a request is over."""


class SandboxError(Exception):
    """Base of what a sandbox raises. The message is one sentence with the remedy."""


class SandboxUnavailable(SandboxError):
    """No engine, no image or no rights: nothing can be started here."""


class SandboxLost(SandboxError):
    """The sandbox died under a call; another can be started."""


class FileError(SandboxError):
    """A file operation was refused; `kind` says why, the message is for the model.

    Kinds: not_found, is_directory, not_a_file, permission, read_only, too_large, changed,
    no_space, invalid_path, timeout, other.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class UnknownJob(SandboxError):
    """There is no job of that id; the message names those there are."""


class Jobs(Protocol):
    """Commands in the background. They start where the session's shell is, with its environment."""

    async def start_job(self, command: str) -> Job:
        """Start a command that runs on while others are called."""
        ...

    def jobs(self) -> list[Job]:
        """Every job of the session, ended ones too, in order."""
        ...

    def ended_jobs(self) -> list[Job]:
        """Return the jobs that ended since this was last asked: each is told once."""
        ...

    async def read_job(self, job_id: int, *, limit: int = 1 << 20) -> JobOutput:
        """What the job wrote since the last reading, stdout and stderr in order."""
        ...

    async def wait_job(
        self, job_id: int, *, timeout: float, on_output: OnOutput | None = None
    ) -> Job:
        """Wait until the job has ended, or `timeout` seconds.

        `on_output` gets what it writes meanwhile; `read_job` returns it all the same.
        """
        ...

    async def stop_job(self, job_id: int) -> Job:
        """End the job and what it started: TERM, then KILL."""
        ...


class Sandbox(Jobs, Protocol):
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
        """Why it is gone; none while it is there, as far as is known without asking it."""
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
        """Tell of every request to the network from now on, and of those not told yet."""
        ...

    async def ping(self) -> float:
        """Seconds for a round trip; answers while commands run."""
        ...

    async def kill_all(self) -> None:
        """End every process but the runner; state is lost."""
        ...

    async def hold(self) -> None:
        """Stop every process but the runner, until `release`; they do not notice."""
        ...

    async def release(self) -> None:
        """Let what was held go on."""
        ...

    async def close(self) -> None:
        """End the sandbox and all that runs in it. May be called twice."""
        ...


class SandboxBackend(Protocol):
    """A way to make sandboxes."""

    name: str

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """Start a sandbox. Raises `SandboxUnavailable` with the remedy."""
        ...


SandboxProvider = Callable[[], Awaitable[Sandbox]]
"""How tools get the session's sandbox: waits while it starts, replaces it when it was lost."""
