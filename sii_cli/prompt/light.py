"""The light of the status line: that the session is recorded, and where."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sii_cli.text.sanitise import one_line


def recording_light(home: Path, room: int) -> str:
    """Return that the session is recorded, and where, as far as there is room."""
    place = str(home)
    with suppress(RuntimeError, ValueError):
        place = f"~/{home.relative_to(Path.home())}"
    text = f" · ● records to {one_line(place, 200)}"
    return text if len(text) <= room else " · ●"
