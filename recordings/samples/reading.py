"""A recording's events as samples need them: proven line by line, ids apart, timing left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from recordings.errors import RecordingDamaged
from recordings.events import Event, IdSpan, ModelResponse, SummaryResponse
from recordings.storage.lines import check_line, decode_event, parse_line, peek
from recordings.storage.log import Line, read_lines

_TIMING = frozenset({"model_delta", "tool_output", "network_request", "snapshot"})
"""Events that say nothing to a model; they are most of a recording's lines."""
_WITH_IDS = frozenset({ModelResponse.type, SummaryResponse.type})


class Read(NamedTuple):
    """An event; a response's ids stand beside it, not in it."""

    event: Event
    span: IdSpan | None = None
    generated: list[int] | None = None


def read_samples_events(folder: Path) -> Iterator[Read]:
    """Yield a recording's events but those of timing.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line in read_lines(folder):
        if check_line(line.text) is None:
            raise RecordingDamaged(
                f"Line {line.number} of the recording {folder.name} was changed after it was "
                "written: `sii verify` says more."
            )
        head = peek(line.text)
        if head is None or head.type not in _TIMING:
            yield _read(line, folder.name)


def _read(line: Line, recording: str) -> Read:
    try:
        parsed = parse_line(line.text)
        ids = _take_ids(parsed)
        event = decode_event(parsed)
        if event.seq != line.number - 1:
            raise RecordingDamaged(f"it is event {event.seq}")
    except RecordingDamaged as error:
        raise RecordingDamaged(
            f"Line {line.number} of the recording {recording} is damaged: {error}."
        ) from None
    return Read(event, *ids)


def _take_ids(parsed: dict[str, Any]) -> tuple[IdSpan | None, list[int] | None]:
    """Take the ids out of a line's object: they are many, and pydantic is slow with them.

    Raises `RecordingDamaged` for what is no list of ids.
    """
    if parsed.get("type") not in _WITH_IDS:
        return None, None
    try:
        span = parsed["data"].pop("prompt_ids", None)
        generated = parsed["data"].pop("generated_ids", None)
        keep, new = (0, []) if span is None else (span["keep"], span["new"])
        if not {*map(type, new), *map(type, generated or ()), type(keep)} <= {int}:
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise RecordingDamaged("its token ids are no numbers") from None
    return (None if span is None else IdSpan.model_construct(keep=keep, new=new)), generated
