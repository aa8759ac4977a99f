"""Reading the events that samples are built from: checked, with token ids apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recordings.conversation.ids import CallIds, take_ids
from recordings.errors import RecordingDamaged
from recordings.events import Event, NetworkRequest, Snapshot
from recordings.storage.lines import STREAMED, decode_event, parse_line
from recordings.storage.log import Line, head_of, read_checked_lines

_SKIPPED = STREAMED | {NetworkRequest.type, Snapshot.type}
"""Events that say nothing to a model; they are most of a recording's lines."""


class SampleEvent(NamedTuple):
    """An event, and the token ids of a response apart from it."""

    event: Event
    ids: CallIds


def read_sample_events(folder: Path) -> Iterator[SampleEvent]:
    """Yield the events of a recording that samples are built from.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line, _ in read_checked_lines(folder):
        if head_of(folder, line).type not in _SKIPPED:
            yield _read(line, folder.name)


def _read(line: Line, recording: str) -> SampleEvent:
    try:
        parsed = parse_line(line.text)
        ids = take_ids(parsed)
        event = decode_event(parsed)
        if event.seq != line.number - 1:
            raise RecordingDamaged(f"it is event {event.seq}")
    except RecordingDamaged as error:
        raise RecordingDamaged(
            f"Line {line.number} of the recording {recording} is damaged: {error}."
        ) from None
    return SampleEvent(event, ids)
