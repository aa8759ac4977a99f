"""Where a session departs from what its collection pins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordings.errors import MALFORMED, RecordingError
from recordings.pins import departures, pinned_facts
from recordings.storage.lines import parse_line
from recordings.storage.log import read_lines
from sandbox.protocol import Sandbox
from sii_cli.assembly import system_prompt
from sii_cli.config.settings import Settings
from tools.registry import default_tools
from tools.toolbox import Toolbox


def departures_of(settings: Settings, tools_sha256: str, resumed: Path | None = None) -> list[str]:
    """Return the names of what differs from the pins; of a resumed recording its system prompt and
    tools count. Raises `UsageError`.
    """
    if not settings.pins:
        return []
    start: dict[str, Any] = {"tools_sha256": tools_sha256}
    if resumed is None:
        start["system_prompt"] = system_prompt(settings)
    else:
        start |= _recorded(resumed)
    start["settings"] = settings.without_secrets()
    return departures(pinned_facts(start), settings.pins)


def departures_of_all(settings: Settings) -> list[str]:
    """Return the same for sessions that these settings begin. Raises `UsageError`."""
    if not settings.pins:
        return []

    async def no_sandbox() -> Sandbox:
        raise AssertionError

    names = settings.tools or default_tools(settings.image)
    return departures_of(settings, Toolbox(names, no_sandbox, settings.web).sha256)


def departure_sentence(names: list[str]) -> str:
    """Return a sentence that names what differs."""
    return (
        f"This departs from what the collection pins: {', '.join(names)} "
        "(`[collection.pins]` in the home's config.toml)."
    )


def _recorded(folder: Path) -> dict[str, Any]:
    try:
        data = parse_line(next(read_lines(folder)).text)["data"]
        return {"system_prompt": data["system_prompt"], "tools_sha256": data["tools_sha256"]}
    except (RecordingError, StopIteration, *MALFORMED):
        return {"system_prompt": ""}
