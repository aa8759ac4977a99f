"""Sessions: one conversation with a model, kept in one recording.

    from sii_cli.session import open_session

    async with open_session(workspace="project") as session:
        async for item in session.send("Make the tests pass."):
            ...

The names in `__all__` are for programs; they are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sii_cli.agent.event_channel import Item
    from sii_cli.agent.permissions import Permit
    from sii_cli.config.load import load_settings
    from sii_cli.config.settings import Settings
    from sii_cli.session.for_programs import open_session
    from sii_cli.session.resume import ResumedRecording
    from sii_cli.session.session import Session

_MODULES = {
    "Item": "sii_cli.agent.event_channel",
    "Permit": "sii_cli.agent.permissions",
    "ResumedRecording": "sii_cli.session.resume",
    "Session": "sii_cli.session.session",
    "Settings": "sii_cli.config.settings",
    "load_settings": "sii_cli.config.load",
    "open_session": "sii_cli.session.for_programs",
}

__all__ = [
    "Item",
    "Permit",
    "ResumedRecording",
    "Session",
    "Settings",
    "load_settings",
    "open_session",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
