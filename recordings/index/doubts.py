"""Doubts about a recording, for which it may be set aside before a person reads it.

A doubt is a hint, found in the text of calls and answers: it decides nothing by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recordings.evidence.claims import Claim, find_cited
from recordings.evidence.evidence import uncited

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording
    from recordings.reviews.protocol import Reason, ReviewProtocol

_LONGEST_COMMAND = 20_000
_MOST_CITED = 20
_SUSPECT = re.compile(
    r"\bgit\s+(?:-C\s+\S{1,500}\s+)?(?:reflog|fsck|cat-file|cherry-pick|unbundle)\b"
    r"|\bgit\s+log\s[^|;&\n]{0,200}(?:-p\b|--patch\b|--all\b|\s-S)"
    r"|\bgit\s+show\s+[0-9a-f]{7,40}\b"
    r"|\bgit\s+fetch\b|\.git/(?:objects|packed-refs|ORIG_HEAD|logs)\b"
    r"|\b(?:hidden|private)[_-]tests?\b|\btests?[_-](?:hidden|private)\b"
    r"|\bpip3?\s+download\b|\bnpm\s+(?:pack|view)\b|\bhttps?://[^\s/]{1,300}/(?:simple|pypi)/"
)
"""Calls with which an answer may be taken from the history, a package index or hidden tests."""


class Doubts:
    """The doubts about one recording, collected event by event."""

    def __init__(self, known: str = "") -> None:
        self.names = set(known.split())
        self._cited: list[Claim] = []
        """Addresses and papers in the last answer that was read."""

    def take(self, kind: str, data: dict[str, Any]) -> None:
        """Take an event; a foreign one may hold anything."""
        match kind:
            case "tool_call" if _SUSPECT.search(data["arguments"][:_LONGEST_COMMAND]):
                self.names.add("suspect")
            case "model_response":
                continuity = data.get("continuity")
                if continuity is not None and continuity.get("cause") == "drift":
                    self.names.add("drift")
                if data["content"] and not data["calls"]:
                    self.names.discard("uncited")
                    self._cited = find_cited(data["content"])[:_MOST_CITED]

    def finish(self, folder: Path) -> None:
        """Look in the whole log for what the last answer cites. Raises `RecordingError`."""
        if self._cited and uncited(folder, self._cited):
            self.names.add("uncited")


def reasons_of(found: FoundRecording, protocol: ReviewProtocol) -> tuple[Reason, ...]:
    """Return why a protocol sets a recording aside; empty where it does not."""
    if not protocol.set_aside:
        return ()
    known = set(found.doubts)
    if found.check is not None and not found.check.passed and not found.check.error:
        known.add("failed_check")
    if found.outages:
        known.add("outage")
    return tuple(reason for reason in protocol.set_aside if reason in known)


def count_reasons(found: Iterable[FoundRecording], protocol: ReviewProtocol) -> Counter[str]:
    """Count the recordings that a protocol sets aside, by reason; `all` counts each once."""
    counts: Counter[str] = Counter()
    for one in found:
        if reasons := reasons_of(one, protocol):
            counts.update(reasons)
            counts["all"] += 1
    return counts


def is_risky(found: FoundRecording) -> bool:
    """Return whether a verdict is doubtful: it is not that of the check, or calls hit an outage."""
    if found.outages:
        return True
    check = found.check
    if check is None or check.error or found.approval not in ("approved", "rejected"):
        return False
    return check.passed != (found.approval == "approved")
