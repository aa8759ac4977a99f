"""Finds the sessions that wait for a reply, and those that a reply lets go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from recordings.errors import MALFORMED, UNREADABLE
from recordings.index.find import Filter, FoundRecording, find_in
from recordings.index.index import RecordingIndex
from recordings.outcomes import UNREADABLE_STATES
from recordings.storage.opening import read_file
from recordings.store.collection import home_of
from recordings.store.summary import RecordingSummary, summarise
from sii_cli.config.settings import BATCH_FILE
from sii_cli.errors import UsageError
from sii_cli.options.filters import open_indexes
from sii_cli.options.recordings import find_one

_LARGEST_PLAN = 16 << 20


@dataclass(frozen=True, slots=True)
class WaitingSession:
    """A session of a batch that a person has not ended yet."""

    folder: Path
    """Its recording."""
    summary: RecordingSummary
    has_reply: bool
    """It goes on by itself; else it waits for a reply."""

    @property
    def id(self) -> str:
        """The id of its recording."""
        return self.folder.name

    @property
    def name(self) -> str:
        """The name of its query."""
        return self.summary.query or self.id

    @property
    def batch(self) -> Path:
        """The folder of its batch."""
        return home_of(self.folder)


def find_waiting(where: Filter) -> list[WaitingSession]:
    """Return the sessions that wait, and those that go on, in the order in which they were parked.

    Raises `SiiError` when an index cannot be used.
    """
    with open_indexes() as indexes:
        return _waiting(indexes, where)


def find_waiting_and_unreadable(
    where: Filter,
) -> tuple[list[WaitingSession], list[RecordingSummary]]:
    """Return what `find_waiting` does, and the recordings of batches that cannot be read: whether
    they wait is not known. Raises `SiiError` when an index cannot be used.
    """
    with open_indexes() as indexes:
        unreadable = find_in(indexes, replace(where, state=UNREADABLE_STATES))
        waiting = _waiting(indexes, where)
    summaries = [one.summary for one in unreadable]
    return waiting, [one for one in summaries if (home_of(one.folder) / BATCH_FILE).is_file()]


def _waiting(indexes: Sequence[RecordingIndex], where: Filter) -> list[WaitingSession]:
    parked = find_in(indexes, replace(where, mode="batch", state=("parked", "replied")))
    killed = find_in(indexes, replace(where, mode="batch", status=("crashed", "interrupted")))
    found = [_session(one, has_reply=one.summary.status == "replied") for one in parked]
    found += _killed(killed)
    return sorted(found, key=lambda one: (_ended(one.summary), one.id))


def find_one_waiting(ref: str) -> WaitingSession:
    """Return the session that waits for a reply, by its id or the beginning of it.

    Raises `UsageError`, `RecordingError`.
    """
    from recordings.conversation.parking import parking_of  # events are slow to import

    folder = find_one(ref)
    parking = parking_of(folder)
    if parking is None or parking.stage == "done":
        raise UsageError(
            f"{folder.name} does not wait for a reply: `sii inbox --json` lists what does."
        )
    return WaitingSession(folder, summarise(folder), parking.stage != "waits")


def _killed(found: list[FoundRecording]) -> Iterator[WaitingSession]:
    """Yield the sessions whose process was killed after they had been parked."""

    if not found:
        return
    from recordings.conversation.parking import parking_of

    @cache
    def is_parking(batch: Path) -> bool:
        with suppress(OSError, *MALFORMED):
            plan = json.loads(read_file(batch, BATCH_FILE, most=_LARGEST_PLAN))
            return bool(plan.get("feedback"))
        return False

    for one in found:
        folder = one.summary.folder
        if not is_parking(home_of(folder)):
            continue
        with suppress(*UNREADABLE):
            parking = parking_of(folder)
            if parking is not None and parking.stage != "done":
                yield _session(one, has_reply=parking.stage != "waits")


def _session(one: FoundRecording, *, has_reply: bool) -> WaitingSession:
    summary = replace(one.summary, query=one.query)
    return WaitingSession(summary.folder, summary, has_reply)


def _ended(summary: RecordingSummary) -> float:
    return (summary.started or 0.0) + summary.duration
