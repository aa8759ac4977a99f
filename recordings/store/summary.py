"""The summary of a recording for lists, read from both ends of its log, whatever its size."""

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
from recordings.outcomes import EMPTY_ANSWER, STATES, outcome_of
from recordings.storage.files import stored_status
from recordings.storage.lines import parse_line, read_head
from recordings.storage.log import LOG, LONGEST_LINE, is_locked, open_log, read_lines
from recordings.store.checks import LastCheck

if TYPE_CHECKING:
    from recordings.events import SessionStatus
    from recordings.outcomes import State

    SummaryStatus = SessionStatus | Literal["open", "forked", "crashed", "damaged", "newer"]
    """How a session ended, as its last event says, or the state of one without an end."""

_IN_ROUND = frozenset(
    {"user_message", "model_request", "model_response", "tool_call", "observation", "interrupt"}
)
_OUTSIDE = frozenset({"session_start", "round_end", "session_end"})
"""Types of events that decide whether a round is open."""
_HEAD_LINES = 32
"""Lines at the beginning in which the first user message is, if there is one."""
_TAIL_BYTES = (1 << 14, 1 << 20)
"""Bytes of the end that are read first, and at most."""


_BEYOND = 1e12
"""Seconds beyond which a time or a duration is out of range."""
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("status", "mode", "model", "first_message", "reason"), str),
    **dict.fromkeys(("batch", "query", "outcome", "continues"), str | None),
    **dict.fromkeys(("started", "duration", "score"), int | float | None),
    **dict.fromkeys(("context_length", "tokens", "attempt"), int | None),
    **dict.fromkeys(("rounds", "steps", "generated"), int),
    "variant": dict,
}


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """A recording in a list."""

    id: str
    folder: Path
    status: SummaryStatus
    started: float | None = None
    """Seconds since the epoch; for a fork, when its own part began."""
    mode: str = ""
    model: str = ""
    context_length: int | None = None
    first_message: str = ""
    rounds: int = 0
    steps: int = 0
    tokens: int | None = None
    """Prompt and completion tokens as the server counted them; `None` before the session ended."""
    duration: float = 0.0
    """Seconds from the first event to the last; for a fork, of its own events."""
    bytes: int = 0
    """Size of the log."""
    why: str = ""
    """Why a damaged or newer recording cannot be read."""
    batch: str | None = None
    query: str | None = None
    attempt: int | None = None
    variant: dict[str, Any] = field(default_factory=dict)
    """The settings that vary in its batch (`SessionStart`)."""
    outcome: str | None = None
    """How an attempt of a batch ended, in the words of `recordings.outcomes`; `None` when it was
    stopped before, and for other sessions (`session_outcome`)."""
    score: float | None = None
    """Share of the query's requirements that are met, as its check reported."""
    reason: str = ""
    """Reason of the outcome, or of the session's end."""
    generated: int = 0
    """Tokens that the model generated."""
    continues: str | None = None
    """The session that a batch continues in this fork, because a reviewer sent it back."""
    check: LastCheck | None = None
    """The last check, if it is near the end (`checks.last_check` reads the whole log)."""

    @property
    def session_outcome(self) -> str | None:
        """How a session ended, of a batch or not, or `None` when it has no end."""
        if self.outcome is not None:
            return self.outcome
        if self.status in STATES:
            return None
        # An attempt without an outcome was stopped, whatever its last round ended in.
        return "interrupted" if self.mode == "batch" else outcome_of(self.status)

    @property
    def state(self) -> State:
        """What the recording is on disk."""
        found = next((state for state in STATES if state == self.status), None)
        return found or ("imported" if self.mode == "imported" else "ended")


def summarise(folder: Path) -> RecordingSummary:
    """Summarise a recording. One that cannot be read is `damaged` or `newer`; nothing is raised."""
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
    outcome = next((line["data"] for line in tail if _is_outcome(line, folder.name)), None)
    check = next((line["data"] for line in tail if line["type"] == "check"), None)
    is_fork = start["session"] != folder.name
    own = _own_part(folder) if is_fork else []
    started = own[0]["wall"] if own else start["wall"]
    sent_back = next((line["data"] for line in own if line["type"] == "sent_back"), None)
    origin = sent_back or start["data"]
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
        mode="batch" if sent_back else start["data"]["mode"],
        model=start["data"]["model"],
        context_length=start["data"].get("context_length"),
        first_message=message,
        rounds=end["rounds"] if end else _latest(tail, "round"),
        steps=end["steps"] if end else _latest(tail, "step"),
        tokens=usage["prompt_tokens"] + usage["completion_tokens"] if usage else None,
        duration=max(0.0, last["wall"] - started),
        bytes=log.st_size if (log := stored_status(folder / LOG)) else 0,
        batch=origin.get("batch"),
        query=start["data"].get("query"),
        attempt=origin.get("attempt"),
        variant=origin.get("variant") or {},
        continues=own[0]["parent"]["session"] if sent_back else None,
        outcome=outcome and outcome_of(outcome["status"]),
        score=outcome and outcome.get("score"),
        reason=reason_of(outcome or end or {}),
        generated=usage["completion_tokens"] if usage else 0,
        check=None if check is None else LastCheck.of(check),
    )


def reason_of(ended: Mapping[str, Any]) -> str:
    """Return why a session or an attempt ended as it did, from what its event says."""
    reason: str = ended.get("reason", "")
    return reason or (EMPTY_ANSWER if ended.get("status") == "empty" else "")


def _is_outcome(line: Mapping[str, Any], session: str) -> bool:
    """Return whether a line is the outcome of the session itself: a fork's parent has its own."""
    return line["type"] == "query_outcome" and bool(line["session"] == session)


def _check(summary: RecordingSummary) -> None:
    """Raise `TypeError` or `ValueError` for values that sii never writes."""
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(summary, name), kinds):
            raise TypeError(f"`{name}` has another type")
    if not isinstance(summary.variant.get("model"), str | None):
        raise TypeError("the model of `variant` is not a name")
    if not (abs(summary.started or 0.0) < _BEYOND and summary.duration < _BEYOND):
        raise ValueError("its times are out of range")
    if min(summary.rounds, summary.steps, summary.generated, summary.tokens or 0) < 0:
        raise ValueError("a count is below 0")


def has_open_round(folder: Path) -> bool:
    """Return whether a recording's last round did not end. Raises `RecordingError`."""
    try:
        kinds = (line["type"] for line in _tail(folder))
        return next((kind in _IN_ROUND for kind in kinds if kind in _IN_ROUND | _OUTSIDE), False)
    except MALFORMED as error:
        raise RecordingDamaged(f"The recording {folder.name} is damaged: {error!r}.") from None


def is_new_fork(line: Mapping[str, Any], was: bool) -> bool:
    """Return whether a recording that ends with this line is a fork that was not continued yet.

    `was`: the same for the recording without that line. Events of the annotator and the snapshot of
    the fork's workspace are part of making the fork.
    """
    return line.get("parent") is not None or (was and _is_part_of_fork(line))


def _is_new_fork(tail: Sequence[Mapping[str, Any]]) -> bool:
    """Return the same for lines in reverse order."""
    own = next((line for line in tail if not _is_part_of_fork(line)), None)
    return own is not None and is_new_fork(own, False)


def _is_part_of_fork(line: Mapping[str, Any]) -> bool:
    is_workspace = line["type"] == "snapshot" and line["data"]["cause"] == "fork"
    return is_workspace or line["type"] == "rewind" or bool(line["origin"] == "annotator")


def _head(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the first line's object and the first user message."""
    start: dict[str, Any] | None = None
    for line in islice(read_lines(folder), _HEAD_LINES):
        if start is None:
            start = parse_line(line.text)
        elif read_head(line.text).type == "user_message":
            return start, str(parse_line(line.text)["data"]["text"])
    if start is None or start["type"] != "session_start":
        raise RecordingDamaged("The recording does not begin with `session_start`.")
    return start, ""


def _own_part(folder: Path) -> list[dict[str, Any]]:
    """Return the first two lines of a fork's own part, which follow those of its parents."""
    with open_log(folder) as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        line, place = b"", high
        while low < high:  # the fork's first line begins after `low`
            middle = (low + high) // 2
            file.seek(middle)
            file.readline(LONGEST_LINE)
            found = file.readline(LONGEST_LINE)
            if not found or _is_of(found, folder.name):
                high, line = middle, found or line
                place = file.tell()
            else:
                low = middle + 1
        file.seek(place)
        second = file.readline(LONGEST_LINE)
    return [parse_line(one) for one in (line, second) if one.endswith(b"\n")]


def _is_of(line: bytes, session: str) -> bool:
    """Return whether a line is of a session; a torn last line is, as only its session appends."""
    try:
        return read_head(line).session == session
    except RecordingDamaged:
        return True


def _tail(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of the last lines in reverse order, until a round and a step are known."""
    least, most = _TAIL_BYTES
    with open_log(folder) as file:
        size = file.seek(0, os.SEEK_END)
        length = least
        while True:
            length = min(length, size)
            file.seek(size - length)
            lines = file.read(length).split(b"\n")
            # The first line may be a part of one; the last is empty or torn.
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
