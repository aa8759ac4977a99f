"""What became of a batch's sessions, read from their recordings: there is no other ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recordings.events import QueryStatus
from recordings.store import RecordingStore
from recordings.summary import RecordingSummary
from sii_cli.batch.plan import job_name

INFRA: QueryStatus = "infra"


@dataclass(slots=True)
class Outcomes:
    """The sessions of a batch, by what they count as."""

    ended: dict[str, RecordingSummary] = field(default_factory=dict)
    """By job: the session that came to an outcome of its own. Each job has one at most."""
    infra: list[RecordingSummary] = field(default_factory=list)
    """Ended by the server, the sandbox or the disk; run again, never counted."""
    stopped: list[RecordingSummary] = field(default_factory=list)
    """Stopped half-way, by a kill or by Ctrl-C; run again, never counted."""
    running: list[RecordingSummary] = field(default_factory=list)

    def add(self, summary: RecordingSummary) -> None:
        """Take account of a recording."""
        if summary.outcome is None:
            (self.running if summary.status == "open" else self.stopped).append(summary)
        elif summary.outcome == INFRA:
            self.infra.append(summary)
        else:
            self.ended.setdefault(job_of(summary), summary)


def read_outcomes(folder: Path, batch: str) -> Outcomes:
    """Read the recordings under a batch's folder, the oldest first. Blocks."""
    return sort_out(
        summary
        for summary in reversed(list(RecordingStore(folder / "recordings").list()))
        if summary.batch == batch
    )


def sort_out(summaries: Iterable[RecordingSummary]) -> Outcomes:
    """Sort recordings by what they count as."""
    outcomes = Outcomes()
    for summary in summaries:
        outcomes.add(summary)
    return outcomes


def job_of(summary: RecordingSummary) -> str:
    """Return the name of the job that a recording is of."""
    return job_name(summary.query or "", summary.attempt or 0, summary.variant)
