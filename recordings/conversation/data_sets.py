"""The data sets that the model of a session knows of."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from recordings.events import Event, SandboxStart, SessionResume, SessionStart

DATA_SETS: Final = "data_sets"
"""Reason of the harness message about them."""
_MOST, _LONGEST = 100, 64
"""Names, and their characters: a foreign recording's may be more."""


@dataclass(slots=True)
class DataSetTrail:
    """Follows a session's events: its data sets by name, with the hash of each where it is known.

    The model reads of those that the settings name before the sandbox starts.
    """

    known: dict[str, str] = field(default_factory=dict)

    def feed(self, event: Event) -> None:
        """Update from the session's next event."""
        match event.data:
            case SessionStart(settings=settings) | SessionResume(settings=settings):
                names = settings.get("data")
                named = names if isinstance(names, list) else ()
                texts = (name for name in named if isinstance(name, str))
                self.known = {
                    name[:_LONGEST]: self.known.get(name, "") for name in islice(texts, _MOST)
                }
            case SandboxStart(data=list(used)):
                self.known |= {one.name: one.sha256 for one in used if one.name in self.known}
