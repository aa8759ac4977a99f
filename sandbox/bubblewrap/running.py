"""Lists the bubblewrap sandboxes of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandbox.bubblewrap.backend import ID_VARIABLE
from sandbox.client.launch import MOUNTED, is_name
from sandbox.protocol import WORKSPACE, RunningSandbox
from sandbox.runner.processes import with_descendants


def running() -> Iterator[RunningSandbox]:
    """Yield the `bwrap` processes that mount sii's runner."""
    seen: set[str] = set()
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        with suppress(OSError, ValueError, IndexError):
            process = Path("/proc", str(pid))
            argv = process.joinpath("cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            name = _variable(process, ID_VARIABLE)
            is_ours = os.path.basename(argv[0]) == "bwrap" and MOUNTED in argv
            # A process in a container can have this name too; and bwrap forks while it starts.
            if not is_ours or name is None or not is_name(name) or name in seen:
                continue
            seen.add(name)
            yield _sandbox(process, name, argv[argv.index(WORKSPACE) - 1])


def _sandbox(process: Path, name: str, workspace: str) -> RunningSandbox:
    fields = process.joinpath("stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    parent, started = int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return RunningSandbox(
        sandbox_id=name,
        backend="bubblewrap",
        state="running",
        owner=parent,
        owner_lives=parent != 1,
        seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - started,
        memory=sum(map(_resident, with_descendants({int(process.name)}))),
        workspace=workspace,
        image=None,
    )


def _variable(process: Path, name: str) -> str | None:
    for pair in process.joinpath("environ").read_bytes().split(b"\0"):
        key, _, value = pair.partition(b"=")
        if key == name.encode():
            return value.decode("utf-8", "replace")
    return None


def _resident(pid: int) -> int:
    """Return a process's own memory, without the pages that it shares with files."""
    with suppress(OSError):
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text("ascii").split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0
