"""What every backend needs to launch a runner: its command line, its settings, its workspace."""

from __future__ import annotations

import asyncio
import re
import secrets
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sandbox.client.results import whole
from sandbox.client.stream import RunnerStream
from sandbox.network.folder import PROXY_FOLDER, SOCKET
from sandbox.network.named_networks import expand_networks
from sandbox.protocol import (
    WORKSPACE,
    Mount,
    SandboxInfo,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from sandbox.runner.frames import Head

RUNNER = Path(__file__).parents[1] / "runner"
"""Mounted read-only at `MOUNTED`."""
MOUNTED = "/opt/sii/runner"
DIRECTORY = "/run/sii"
"""The supervisor's own small tmpfs."""
DIRECTORY_SIZE = 16 << 20
CLIENT_PIPE = "/run/sii-client-pipe"
"""Where a container's client pipe is mounted, read-only."""
HOSTS = "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n"
"""The hosts that a sandbox knows by name: itself."""
HELLO_TIMEOUT = 30.0
"""Seconds that a runner may take until it says hello."""

_TAKEN = (
    *(WORKSPACE, "/opt/sii", DIRECTORY, PROXY_FOLDER, CLIENT_PIPE),
    *("/tmp", "/proc", "/sys", "/dev"),
)
_NAME = re.compile(r"sii-[0-9a-f]{12}")
_BOOT = """\
import sys
if sys.version_info < (3, 9):
    sys.exit("its python3 is %d.%d, and the runner inside needs 3.9" % sys.version_info[:2])
sys.path.insert(0, '/opt/sii')
from runner.supervisor import main
main()
"""


def command_line(python: str = "python3") -> list[str]:
    """Return the argv of the runner. What it is to do comes as the first frame, not here: every
    user of the machine can read a command line.
    """
    return [python, "-I", "-S", "-B", "-c", _BOOT]


def first_frame(
    spec: SandboxSpec, *, nice: int, client_pipe: str | None = None, hosts: str | None = None
) -> Head:
    """Return the runner's configuration, the first frame.

    `nice` is added to the commands' nice value, so that a hundred of them that fill the disk do not
    keep the runner from ending them. `client_pipe` is a path inside; `hosts` is what the runner
    writes to `/etc/hosts`.
    """
    limits = spec.limits
    return {
        "workspace": WORKSPACE,
        "directory": DIRECTORY,
        "output": limits.output,
        "disk": limits.disk,
        "nice": nice,
        "open_files": limits.open_files,
        "file_size": limits.file_size,
        "env": spec.env,
        "client_pipe": client_pipe,
        "hosts": hosts,
        "proxy": f"{PROXY_FOLDER}/{SOCKET}" if spec.allow_net else None,
    }


def real_mounts(spec: SandboxSpec) -> tuple[Mount, ...]:
    """Return the extra mounts with their real sources. Raises `SandboxUnavailable`."""
    return tuple(Mount(_real_source(mount), mount.target) for mount in spec.mounts)


def _real_source(mount: Mount) -> Path:
    target = Path(mount.target)
    if target.root == "//":  # which POSIX keeps apart, and every system takes for /
        target = Path("/", *target.parts[1:])
    if not target.is_absolute() or ".." in target.parts or target == Path("/"):
        raise SandboxUnavailable(
            f"{mount.source} cannot be mounted at {mount.target}: give an absolute path that is "
            "not the root."
        )
    for taken in _TAKEN:
        if target.is_relative_to(taken) or Path(taken).is_relative_to(target):
            raise SandboxUnavailable(
                f"{mount.source} cannot be mounted at {mount.target}: {taken} has its own use "
                "there; choose another place, such as /mnt/data."
            )
    try:
        return mount.source.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SandboxUnavailable(f"{mount.source} cannot be mounted: {reason}.") from None


async def started(
    stream: RunnerStream,
    spec: SandboxSpec,
    *,
    backend: str,
    name: str,
    begin: float,
    image_digest: str | None = None,
    unlimited: tuple[str, ...] = (),
) -> SandboxInfo:
    """Wait for the runner's hello and say what was started at `begin` (monotonic).

    Raises `SandboxUnavailable` with the runner's last words.
    """
    try:
        hello = await asyncio.wait_for(stream.hello, HELLO_TIMEOUT)
    except (SandboxLost, TimeoutError):
        reason = stream.lost or f"it said nothing for {HELLO_TIMEOUT:g} s"
        raise SandboxUnavailable(f"The sandbox did not start: {reason}.") from None
    with stream.understood():
        uid, gid = whole(hello, "uid"), whole(hello, "gid")
    return SandboxInfo(
        backend=backend,
        sandbox_id=name,
        image=spec.image if image_digest is not None else None,
        image_digest=image_digest,
        limits=spec.limits,
        network=tuple(expand_networks(spec.allow_net)),
        uid=uid,
        gid=gid,
        start_seconds=time.monotonic() - begin,
        unlimited=unlimited,
    )


@asynccontextmanager
async def removed_when_it_fails(remove: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call `remove` when what is inside raises; say `SandboxUnavailable` of what is not a fault."""
    try:
        yield
    except (SandboxLost, OSError) as error:  # an engine that dies or hangs, too
        await remove()
        raise SandboxUnavailable(f"The sandbox did not start: {error}") from None
    except BaseException:
        await remove()
        raise


def new_name() -> str:
    """Return an id for a sandbox."""
    return f"sii-{secrets.token_hex(6)}"


def is_name(text: str) -> bool:
    """Tell whether a text is such an id."""
    return _NAME.fullmatch(text) is not None


def tmp_size(spec: SandboxSpec) -> int:
    """Return the size of /tmp: well below the memory limit, for its pages count as memory."""
    return min(spec.limits.tmp, spec.limits.memory // 2)


def shm_size(spec: SandboxSpec) -> int:
    """Return the size of /dev/shm, whose pages count as memory, too."""
    return min(spec.limits.shm, spec.limits.memory // 4)


def real_workspace(path: Path) -> Path:
    """Return the real path of a directory that exists. Raises `SandboxUnavailable`."""
    try:
        workspace = path.expanduser().resolve(strict=True)
        mode = workspace.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SandboxUnavailable(
            f"The workspace {path} cannot be used: {reason}. Make it, or give another with "
            "--workspace."
        ) from None
    if not stat.S_ISDIR(mode):
        raise SandboxUnavailable(f"The workspace {path} is not a directory.")
    return workspace
