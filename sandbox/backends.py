"""The sandbox backends by name: the one place where a backend is added.

A backend is a package of its own. Its module `backend` has a class that implements
`sandbox.protocol.SandboxBackend`; its module `running` has `running()`, which lists the sandboxes
of that kind on this machine. It may have a module `check` with `check(image)`, which says whether
sandboxes can be started here (`has_check`). `sandbox.conformance` tests whether it does what the
protocol says.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.backend_check import BackendCheck
    from sandbox.protocol import RunningSandbox, SandboxBackend


@dataclass(frozen=True, slots=True)
class BackendEntry:
    """Where a backend's code is. It is imported when it is used."""

    package: str
    class_name: str
    has_check: bool = False

    def make(self) -> SandboxBackend:
        """Return a new backend."""
        backend: SandboxBackend = getattr(
            import_module(f"{self.package}.backend"), self.class_name
        )()
        return backend

    def running(self) -> Iterable[RunningSandbox]:
        """Return its sandboxes on this machine. Blocks.

        Raises `SandboxUnavailable` when they cannot be seen, as without an engine, and another
        `SandboxError` when looking for them fails.
        """
        found: Iterable[RunningSandbox] = import_module(f"{self.package}.running").running()
        return found

    def check(self, image: str) -> list[BackendCheck]:
        """Return what can be checked before a sandbox is started. Blocks."""
        if not self.has_check:
            return []
        found: list[BackendCheck] = import_module(f"{self.package}.check").check(image)
        return found


DEFAULT_BACKEND = "docker"
BACKENDS = {
    "docker": BackendEntry("sandbox.docker", "DockerBackend", has_check=True),
    "bubblewrap": BackendEntry("sandbox.bubblewrap", "BubblewrapBackend"),
}
