"""Removes the containers and folders that dead clients left.

A sandbox ends by itself when its client dies. Left over are containers that were made and never
started, and those that the engine lost track of.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.client.launch import is_name
from sandbox.own_folder import remove_leftover_folders

OWNER_LABEL = "sii.owner"
"""`boot_id:pid_namespace:pid:start_time` of the process that made the container."""
_LABEL = re.compile(r"([^:]*):([^:]*):(?P<pid>[0-9]{1,10}):([^:]*)")


def owner() -> str:
    """Return the label with which this process marks its containers."""
    return f"{_boot_id()}:{_pid_namespace()}:{os.getpid()}:{_start_time(os.getpid())}"


def owner_pid(label: str) -> int | None:
    """Return the pid in a label, or None when it is not sii's."""
    found = _LABEL.fullmatch(label)
    return int(found["pid"]) if found else None


def is_sandbox(container: Any) -> bool:
    """Tell whether a listed container with sii's label is a sandbox, by its name.

    A label alone proves nothing: an image made from a sandbox has it too, and passes it on to its
    containers.
    """
    return any(is_name(name.removeprefix("/")) for name in container["Names"] or ())


def is_dead(label: str, *, running: bool) -> bool:
    """Tell whether the labelled owner is certainly gone.

    An owner on another machine or in another pid namespace may live: its running containers stay.
    """
    found = _LABEL.fullmatch(label)
    if found is None:
        return False
    boot, namespace, pid, start = found.groups()
    if boot != _boot_id() or namespace != _pid_namespace():
        return boot != _boot_id() and not running
    return _start_time(int(pid)) != start


def remove_leftovers(api: Any | None = None) -> int:
    """Remove the containers and folders of ended processes; return how many containers.

    Without an engine none is removed.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    remove_leftover_folders()
    try:
        if api is None:
            from sandbox.docker.engine import connect

            api = connect().api
        found = api.containers(all=True, filters={"label": OWNER_LABEL})
    except (DockerException, RequestException, OSError):
        return 0
    count = 0
    for container in found:
        label = container["Labels"][OWNER_LABEL]
        is_running = container["State"] == "running"
        if not (is_sandbox(container) and is_dead(label, running=is_running)):
            continue
        with suppress(APIError, RequestException):
            api.remove_container(container["Id"], force=True, v=True)
            count += 1
    return count


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _pid_namespace() -> str:
    return os.readlink("/proc/self/ns/pid").strip("pid:[]")


def _start_time(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot, or None without the process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
