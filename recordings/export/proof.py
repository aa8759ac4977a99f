"""Proves that a recording is what was chosen, once for all the pairs that it is in."""

from __future__ import annotations

from recordings.errors import UNREADABLE, why_damaged
from recordings.export.plan import Source
from recordings.samples.sample import LeftOut
from recordings.storage.lines import check_line, prev_of
from recordings.storage.log import is_locked, read_lines


class Proofs:
    """Remembers what is wrong with recordings."""

    def __init__(self) -> None:
        self._problems: dict[str, LeftOut | None] = {}

    def problem(self, source: Source) -> LeftOut | None:
        """Return what is wrong with a recording; none when it is what was chosen."""
        if source.id not in self._problems:
            self._problems[source.id] = _problem(source)
        return self._problems[source.id]


def _problem(source: Source) -> LeftOut | None:
    """Prove every line, the chain, the last line's hash."""
    if is_locked(source.folder):
        return LeftOut(source.id, "being_written", "its session has not ended")
    before = ""
    try:
        for line in read_lines(source.folder):
            sha256 = check_line(line.text)
            if sha256 is None or prev_of(line.text) != before:
                return LeftOut(source.id, "damaged", f"line {line.number} is not what was written")
            before = sha256
    except UNREADABLE as error:
        return LeftOut(source.id, "damaged", why_damaged(error))
    if before != source.sha256:
        return LeftOut(source.id, "damaged", "it is not what it was when it was chosen")
    return None
