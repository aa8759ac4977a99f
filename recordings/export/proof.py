"""Checking that a recording is what was chosen, once for all pairs that it is in."""

from __future__ import annotations

from recordings.errors import UNREADABLE, LineChanged, why_damaged
from recordings.export.plan import ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.storage.log import checked_hash, is_locked


class Proofs:
    """Checks recordings and remembers the results."""

    def __init__(self) -> None:
        self._problems: dict[str, LeftOut | None] = {}

    def problem(self, source: ChosenRecording) -> LeftOut | None:
        """Return what is wrong with a recording, or `None`."""
        if source.id not in self._problems:
            self._problems[source.id] = _problem(source)
        return self._problems[source.id]


def _problem(source: ChosenRecording) -> LeftOut | None:
    """Check every line, the chain and the recording's hash."""
    if is_locked(source.folder):
        return LeftOut(source.id, "being_written", "its session has not ended")
    try:
        head = checked_hash(source.folder)
    except LineChanged as error:
        return LeftOut(source.id, "damaged", f"line {error.number} is not what was written")
    except UNREADABLE as error:
        return LeftOut(source.id, "damaged", why_damaged(error))
    if head != source.sha256:
        return LeftOut(source.id, "damaged", "it is not what it was when it was chosen")
    return None
