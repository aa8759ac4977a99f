"""What a list shows of a recording, read from the two ends of its log, whatever its size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from recordings.errors import (
    MALFORMED,
    UNREADABLE,
    RecordingDamaged,
    RecordingTooNew,
    why_damaged,
)
from recordings.storage.files import stored_status
from recordings.storage.lines import parse_line, read_head
from recordings.storage.log import LOG, LONGEST_LINE, is_locked, open_log, read_lines

if TYPE_CHECKING:
    from recordings.events import QueryStatus, SessionStatus

    SummaryStatus = SessionStatus | Literal["open", "forked", "crashed", "damaged", "newer"]
    """How a session ended; `open`: it is being written; `forked`: nothing was said since it was
    forked; `crashed`: it never ended in order; `newer`: its format is of a later version."""

_IN_ROUND = frozenset(
    {"user_message", "model_request", "model_response", "tool_call", "observation", "interrupt"}
)
_OUTSIDE = frozenset({"session_start", "round_end", "session_end"})
"""Types of events by which one tells whether a round is open."""
_HEAD_LINES = 32
"""The first user message comes within the first lines, or the session has none yet."""
_TAIL_BYTES = (1 << 14, 1 << 20)
"""How much of the end is read at first, and at most."""


_BEYOND = 1e12
"""Seconds that no recording lasts, and none begins at."""
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("status", "mode", "model", "first_message", "reason"), str),
    **dict.fromkeys(("batch", "query", "outcome"), str | None),
    **dict.fromkeys(("started", "duration"), int | float | None),
    **dict.fromkeys(("context_length", "tokens", "attempt"), int | None),
    **dict.fromkeys(("rounds", "steps", "generated"), int),
    "variant": dict,
}


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """One recording in a list."""

    id: str
    folder: Path
    status: SummaryStatus
    started: float | None = None
    """Seconds since the epoch; of a fork, its own beginning."""
    mode: str = ""
    model: str = ""
    context_length: int | None = None
    first_message: str = ""
    rounds: int = 0
    steps: int = 0
    tokens: int | None = None
    """Prompt and completion tokens as the server counted them; none before the session's end."""
    duration: float = 0.0
    """Seconds from the first event to the last, of its own if it is a fork."""
    bytes: int = 0
    """Of the log."""
    why: str = ""
    """Why a recording that is damaged or newer cannot be read."""
    batch: str | None = None
    query: str | None = None
    attempt: int | None = None
    variant: dict[str, Any] = field(default_factory=dict)
    """Which session of the batch this is (`SessionStart`)."""
    outcome: QueryStatus | None = None
    """What became of a batch's session; none when it was stopped half-way."""
    reason: str = ""
    """Of the outcome, or of the session's end."""
    generated: int = 0
    """Tokens that the model wrote."""


def summarise(folder: Path) -> RecordingSummary:
    """Sum a recording up. What cannot be read is `damaged` or `newer`, never an exception."""
    try:
        summary = _summarise(folder)
        _check(summary)
        return summary
    except RecordingTooNew as error:
        return RecordingSummary(folder.name, folder, "newer", why=str(error))
    except UNREADABLE as error:
        return RecordingSummary(folder.name, folder, "damaged", why=why_damaged(error))


def _summarise(folder: Path) -> RecordingSummary:
    start, message = _head(folder)
    tail = [line for line in _tail(folder) if line["type"] != "redaction"]
    last = tail[0] if tail else start
    end = last["data"] if last["type"] == "session_end" else None
    outcome = next((line["data"] for line in tail if line["type"] == "query_outcome"), None)
    started = start["wall"] if start["session"] == folder.name else _forked(folder, start["wall"])
    usage = end and end["usage"]
    status: SummaryStatus = "crashed"
    if end:
        status = end["status"]
    elif is_locked(folder):
        status = "open"
    elif _is_new_fork(tail):
        status = "forked"
    return RecordingSummary(
        id=folder.name,
        folder=folder,
        status=status,
        started=started,
        mode=start["data"]["mode"],
        model=start["data"]["model"],
        context_length=start["data"].get("context_length"),
        first_message=message,
        rounds=end["rounds"] if end else _latest(tail, "round"),
        steps=end["steps"] if end else _latest(tail, "step"),
        tokens=usage["prompt_tokens"] + usage["completion_tokens"] if usage else None,
        duration=max(0.0, last["wall"] - started),
        bytes=log.st_size if (log := stored_status(folder / LOG)) else 0,
        batch=start["data"].get("batch"),
        query=start["data"].get("query"),
        attempt=start["data"].get("attempt"),
        variant=start["data"].get("variant") or {},
        outcome=outcome and outcome["status"],
        reason=(outcome or end or {}).get("reason", ""),
        generated=usage["completion_tokens"] if usage else 0,
    )


def _check(summary: RecordingSummary) -> None:
    """Raise `TypeError` or `ValueError` where a recording says what none of ours says."""
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(summary, name), kinds):
            raise TypeError(f"`{name}` is of another kind")
    if not isinstance(summary.variant.get("model"), str | None):
        raise TypeError("`variant` names no model")
    if not (abs(summary.started or 0.0) < _BEYOND and summary.duration < _BEYOND):
        raise ValueError("its times are none")
    if min(summary.rounds, summary.steps, summary.generated, summary.tokens or 0) < 0:
        raise ValueError("a count is below 0")


def has_open_round(folder: Path) -> bool:
    """Tell whether a recording's last round did not end. Raises `RecordingError`."""
    try:
        kinds = (line["type"] for line in _tail(folder))
        return next((kind in _IN_ROUND for kind in kinds if kind in _IN_ROUND | _OUTSIDE), False)
    except MALFORMED as error:
        raise RecordingDamaged(f"The recording {folder.name} is damaged: {error!r}.") from None


def is_new_fork(line: Mapping[str, Any], was: bool) -> bool:
    """Tell whether a recording that ends with a line is a fork that nobody went on with yet.

    `was` says so of the recording without that line: what an annotator changed is part of it, and
    the workspace that was written for it.
    """
    return line.get("parent") is not None or (was and _is_part_of_fork(line))


def _is_new_fork(tail: Sequence[Mapping[str, Any]]) -> bool:
    """The same, of lines from the last one backwards."""
    own = next((line for line in tail if not _is_part_of_fork(line)), None)
    return own is not None and is_new_fork(own, False)


def _is_part_of_fork(line: Mapping[str, Any]) -> bool:
    is_workspace = line["type"] == "snapshot" and line["data"]["cause"] == "fork"
    return is_workspace or bool(line["origin"] == "annotator")


def _head(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the first line's object and the first user message."""
    start: dict[str, Any] | None = None
    for line in islice(read_lines(folder), _HEAD_LINES):
        if start is None:
            start = parse_line(line.text)
        elif read_head(line.text).type == "user_message":
            return start, str(parse_line(line.text)["data"]["text"])
    if start is None or start["type"] != "session_start":
        raise RecordingDamaged("The recording has no beginning.")
    return start, ""


def _forked(folder: Path, default: float) -> float:
    """Return when a fork's own part began: its lines follow all of its parents'."""
    with open_log(folder) as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        line = b""
        while low < high:  # the first line that begins after `low` is the fork's, or is sought
            middle = (low + high) // 2
            file.seek(middle)
            file.readline(LONGEST_LINE)
            found = file.readline(LONGEST_LINE)
            if not found or _is_of(found, folder.name):
                high, line = middle, found or line
            else:
                low = middle + 1
    return float(parse_line(line)["wall"]) if line.endswith(b"\n") else default


def _is_of(line: bytes, session: str) -> bool:
    """Tell whether a line is of a session; a torn last line is, for nobody else appends."""
    try:
        return read_head(line).session == session
    except RecordingDamaged:
        return True


def _tail(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the last lines' objects, the last first; as many as tell of a round and a step."""
    least, most = _TAIL_BYTES
    with open_log(folder) as file:
        size = file.seek(0, os.SEEK_END)
        length = least
        while True:
            length = min(length, size)
            file.seek(size - length)
            lines = file.read(length).split(b"\n")
            # The first is whole only at the beginning of the file, the last is empty or torn.
            whole = lines[1:-1] if length < size else lines[:-1]
            found = [orjson.loads(line) for line in reversed(whole)]
            if length == size or length >= most or _tells_enough(found):
                yield from found
                return
            length *= 8


def _tells_enough(lines: list[dict[str, Any]]) -> bool:
    if not lines:
        return False
    return lines[0]["type"] == "session_end" or bool(
        _latest(lines, "round") and _latest(lines, "step")
    )


def _latest(lines: list[dict[str, Any]], name: str) -> int:
    return next((int(line["data"][name]) for line in lines if name in line["data"]), 0)
