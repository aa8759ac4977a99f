"""The sandboxes that run on this machine, of every backend."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.backends import BACKENDS
from sandbox.protocol import RunningSandbox, SandboxUnavailable


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
