"""Lists the Docker sandboxes of this machine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox.docker.engine import connect
from sandbox.docker.leftovers import OWNER_LABEL, is_dead, is_sandbox, owner_pid
from sandbox.protocol import WORKSPACE, RunningSandbox, SandboxError

_REQUESTS_AT_ONCE = 8


def running() -> list[RunningSandbox]:
    """Return the containers that are sandboxes. Blocks.

    Raises `SandboxUnavailable` without an engine, `SandboxError` when it does not list them.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    api = connect().api
    try:
        listed = api.containers(all=True, filters={"label": OWNER_LABEL})
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
            return list(threads.map(lambda one: _sandbox(api, one), filter(is_sandbox, listed)))
    except (DockerException, RequestException) as error:
        raise SandboxError(f"The engine cannot list its containers: {error}") from None
    finally:
        api.close()


def _sandbox(api: Any, listed: dict[str, Any]) -> RunningSandbox:
    label, state = listed["Labels"][OWNER_LABEL], listed["State"]
    sources = {mount["Destination"]: mount.get("Source") for mount in listed.get("Mounts", ())}
    return RunningSandbox(
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
    """Return a container's memory as `docker stats` counts it: without inactive file pages."""
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
