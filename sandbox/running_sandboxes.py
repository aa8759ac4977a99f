"""The sandboxes that run on this machine: their owners, age and memory."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.backends import BACKENDS
from sandbox.protocol import SandboxUnavailable


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox on this machine."""

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


@dataclass(frozen=True, slots=True)
class RunningSandboxes:
    """The sandboxes on this machine."""

    found: list[RunningSandbox]
    """The oldest first."""
    unseen: dict[str, str]
    """By backend: why its sandboxes cannot be seen."""


def running_sandboxes() -> RunningSandboxes:
    """Return the sandboxes of every backend. Blocks. Raises `SandboxError`."""
    found: list[RunningSandbox] = []
    unseen: dict[str, str] = {}
    for name, entry in BACKENDS.items():
        try:
            found += entry.running()
        except SandboxUnavailable as error:
            unseen[name] = str(error)
    return RunningSandboxes(sorted(found, key=lambda one: -one.seconds), unseen)
