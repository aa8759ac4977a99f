"""Where the sessions of a batch run: in this process, or on a Ray cluster."""

from __future__ import annotations

from sii_cli.batch.options import RAY_AUTO
from sii_cli.batch.sessions.executor import Executor, LocalExecutor
from sii_cli.batch.sessions.session_parts import SessionParts


def make_executor(parts: SessionParts, ray: str | None) -> Executor:
    """Return what runs the sessions: this process, or the cluster at `ray`. Raises `UsageError`."""
    if ray is None:
        return LocalExecutor(parts)
    from sii_cli.batch.sessions.ray_executor import RayExecutor

    return RayExecutor(parts, None if ray == RAY_AUTO else ray)
