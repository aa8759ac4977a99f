"""Whether a tool call may run: permissions by name, of which a session has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from recordings.events import Permission

Permit = Callable[[str, dict[str, Any] | None], Awaitable[Permission]]
"""(tool name, parsed arguments or `None` where they are not a JSON object) → whether the call may
run, and who says so. It may wait for a person."""


async def permit_all(name: str, arguments: dict[str, Any] | None) -> Permission:
    """Let every call run: what runs, runs inside the sandbox."""
    return Permission(by="mode", mode="auto")


PERMISSIONS: dict[str, Permit] = {"auto": permit_all}
"""A new one is a function, and a line here."""
