"""The authors of a recording: people whose words are in it, so that they do not judge it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from recordings.errors import MALFORMED
from recordings.storage.lines import parse_line
from recordings.storage.log import head_of, read_lines

NAMING = frozenset({"session_start", "session_resume", "user_message", "edit"})
"""Types of the events that tell who wrote what."""


class Authors:
    """The authors, collected event by event."""

    def __init__(self, speaker: str | None = None) -> None:
        self.speaker = speaker
        """Who is at the prompt now, by pseudonym."""
        self.names: set[str] = set()

    def take(self, kind: str, origin: str, data: dict[str, Any]) -> None:
        """Take an event; a foreign one may hold anything."""
        match kind:
            case "session_start":
                self.speaker = data.get("speaker")
                self._add(data.get("author"))
            case "session_resume":
                self.speaker = data["settings"].get("speaker")
            case "user_message" if origin == "human":
                self._add(data.get("speaker") or self.speaker)
            case "edit":
                self._add(data["by"])

    def _add(self, name: object) -> None:
        if isinstance(name, str):
            self.names.add(name)


def authors_of(folder: Path) -> set[str]:
    """Return the authors of a recording, as far as they are known.

    Who was at the prompt when a human wrote a message, who edited a message, and who wrote the
    query. Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    authors = Authors()
    for line in read_lines(folder):
        if head_of(folder, line).type in NAMING:
            with suppress(*MALFORMED):  # readers of the whole event report it
                event = parse_line(line.text)
                authors.take(event["type"], event["origin"], event["data"])
    return authors.names
