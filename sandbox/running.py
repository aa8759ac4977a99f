"""Which sandboxes run on this machine: whose they are, how old, how much memory they hold."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.bubblewrap.backend import ID_VARIABLE
from sandbox.client.launch import MOUNTED, is_name
from sandbox.docker.engine import connect
from sandbox.docker.reaper import OWNER_LABEL, is_dead, is_sandbox, owner_pid
from sandbox.protocol import WORKSPACE, SandboxUnavailable
from sandbox.runner.processes import with_descendants

_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A sandbox that is there."""

    sandbox_id: str
    backend: str
    state: str
    """As the engine calls it: `running`, `paused`, `created`, …"""
    owner: int | None
    """Pid of the process that started it, where its label can be read."""
    owner_lives: bool
    seconds: float
    """Since it was made."""
    memory: int | None
    """Bytes, without what the kernel can drop; none when it cannot be had."""
    workspace: str | None
    image: str | None


@dataclass(frozen=True, slots=True)
class Census:
    """The sandboxes of this machine."""

    found: list[Found]
    """The oldest first."""
    unseen: str
    """Why those of the Docker engine are not among them; empty when they are."""


def census() -> Census:
    """Look for the sandboxes of this machine (blocking). Raises `SandboxUnavailable` when the
    engine answers and does not list them.
    """
    unseen = ""
    found = list(_namespaces())
    try:
        engine = connect()
    except SandboxUnavailable as error:
        unseen = str(error)
    else:
        found += _containers(engine.api)
    return Census(sorted(found, key=lambda one: -one.seconds), unseen)


def _containers(api: Any) -> list[Found]:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        listed = api.containers(all=True, filters={"label": OWNER_LABEL})
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            ours = filter(is_sandbox, listed)
            return list(threads.map(lambda one: _container(api, one), ours))
    except (DockerException, RequestException) as error:
        raise SandboxUnavailable(f"The engine cannot list its containers: {error}") from None
    finally:
        api.close()


def _container(api: Any, listed: dict[str, Any]) -> Found:
    label, state = listed["Labels"][OWNER_LABEL], listed["State"]
    sources = {mount["Destination"]: mount.get("Source") for mount in listed.get("Mounts", ())}
    return Found(
        sandbox_id=listed["Names"][0].lstrip("/"),
        backend="docker",
        state=state,
        owner=owner_pid(label),
        owner_lives=not is_dead(label, running=state == "running"),
        seconds=max(0.0, time.time() - listed["Created"]),
        memory=_memory(api, listed["Id"]) if state in {"running", "paused"} else None,
        workspace=sources.get(WORKSPACE),
        image=listed["Image"],
    )


def _memory(api: Any, container: str) -> int | None:
    """Return what the container holds, as `docker stats` counts: without inactive file pages."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        memory = api.stats(container, stream=False, one_shot=True)["memory_stats"]
    except (DockerException, RequestException):
        return None
    if "usage" not in memory:
        return None
    stats = memory.get("stats", {})
    dropped = stats.get("total_inactive_file", stats.get("inactive_file", 0))
    return max(0, int(memory["usage"]) - int(dropped))


def _namespaces() -> Iterator[Found]:
    """Yield the bubblewrap sandboxes: `bwrap` processes that mount our runner."""
    seen: set[str] = set()
    for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        with suppress(OSError, ValueError, IndexError):
            process = Path("/proc", str(pid))
            argv = process.joinpath("cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            name = _variable(process, ID_VARIABLE)
            ours = os.path.basename(argv[0]) == "bwrap" and MOUNTED in argv
            # What runs in a container can call itself so; and bwrap forks while it starts.
            if not ours or name is None or not is_name(name) or name in seen:
                continue
            seen.add(name)
            yield _namespace(process, name, argv[argv.index(WORKSPACE) - 1])


def _namespace(process: Path, name: str, workspace: str) -> Found:
    fields = process.joinpath("stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    parent, started = int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return Found(
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
