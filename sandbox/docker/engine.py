"""The Docker engine: where its socket is, and what its errors mean to a user."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from sandbox.protocol import SandboxUnavailable

DEFAULT_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Engine:
    """A reachable engine."""

    api: Any
    """docker-py's `APIClient`: synchronous, used in threads."""
    socket_path: str


def socket_path() -> str:
    """Return the engine's unix socket. Raises `SandboxUnavailable` for any other address."""
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        return DEFAULT_SOCKET
    if not host.startswith("unix://"):
        raise SandboxUnavailable(
            f"DOCKER_HOST is {host}, but a sandbox needs an engine on this machine: unset it, or "
            "set it to unix:///path/of/docker.sock."
        )
    return host.removeprefix("unix://")


def connect() -> Engine:
    """Connect to the engine (blocking). Raises `SandboxUnavailable` with the remedy."""
    import docker
    from docker.errors import DockerException

    path = socket_path()
    try:
        api = docker.APIClient(base_url=f"unix://{path}", version="auto", timeout=60)
    except DockerException as error:
        raise SandboxUnavailable(unreachable(path, error)) from None
    return Engine(api, path)


PING = b"GET /_ping HTTP/1.0\r\n\r\n"


def answers(path: str) -> bool:
    """Tell whether an engine lives behind the socket (blocks for a moment at most).

    One that is being killed still takes connections until its last file is closed, but answers
    none: they are reset. One that is only slow is alive.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(path)
            probe.sendall(PING)
            return bool(probe.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False


def unreachable(path: str, error: Exception) -> str:
    """Say why the engine cannot be used, and the remedy."""
    if not os.path.exists(path):
        return (
            f"No Docker engine answers: {path} is not there. Install and start Docker "
            "(on Debian as root: apt install docker.io), or set DOCKER_HOST."
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return (
            f"No permission to use the Docker engine at {path}: join its group "
            "(sudo usermod -aG docker $USER, then log in again)."
        )
    return f"The Docker engine at {path} does not answer: start it (sudo service docker start)."
