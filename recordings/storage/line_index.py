"""An index of a recording's lines: offset, kind and time of each, read as far as needed.

Only the head of a line is read, so indexing hundreds of megabytes takes about as long as reading
them; one event is then read from its offset. Memory grows by 17 bytes a line.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.storage.failing_output import shows_failure
from recordings.storage.lines import decode_event, parse_line
from recordings.storage.log import LONGEST_LINE, Line, head_of, open_log, read_lines

if TYPE_CHECKING:
    from recordings.events import Event

CALL, ERROR, USER, SHOWN, STEP, SAID, EDIT, APART = 1, 2, 4, 8, 16, 32, 64, 128
"""Marks of a line: a call begins, something failed, the user wrote a message, it is shown, a step
begins, the user or the model wrote a message, files of the workspace changed, it belongs to no step
(a check, a compaction)."""

_HIDDEN = frozenset(
    {
        *("model_delta", "tool_output", "model_request", "raw_generation", "session_resume"),
        *("snapshot", "summary_request", "summary_response", "stub"),
        *("pending_message", "pending_returned", "parked"),
    }
)
_SUCCEEDED, _CODE = b'"error":null,', b'"exit_code":'
_FAILED = re.compile(rb'"error":"|"exit_code":-?[1-9]')
_CHANGED = b'"changed":["'
_CUT_OFF = b'"complete":false'
_BAD_END = re.compile(rb'"status":"(?!answered|interrupted|done)')
_LINES = 256
"""Lines that `extend` reads."""


class LineIndex:
    """An index that grows as it is extended. One thread may extend it while others read."""

    def __init__(self, folder: Path) -> None:
        """Raises `RecordingNotFound`."""
        self._folder = folder
        self._file = open_log(folder)
        self._lines = read_lines(folder)
        self._last: float | None = None
        self.offsets = array("Q")
        self.times = array("d")
        """Seconds of a replay at which each line happened, without the pauses between processes."""
        self.marks = bytearray()
        """Marks of each line. Grows last: a line that has marks has an offset and a time."""
        self.snapshots = array("Q")
        """Numbers of the lines that are snapshots."""
        self.complete = False

    def __len__(self) -> int:
        return len(self.marks)

    def extend(self) -> None:
        """Read some more lines. Raises `RecordingDamaged`."""
        added = 0
        for line in islice(self._lines, _LINES):
            self._add(line)
            added += 1
        if added < _LINES:
            self.complete = True

    def event(self, number: int) -> Event:
        """Read the event of a line, from 0. Raises `RecordingDamaged`, `RecordingTooNew`."""
        self._file.seek(self.offsets[number])
        return decode_event(parse_line(self._file.readline(LONGEST_LINE).removesuffix(b"\n")))

    def events(self, first: int, end: int) -> Iterator[Event]:
        """Read events `first` to before `end`."""
        return (self.event(number) for number in range(first, end))

    def find(self, mark: int, start: int, *, back: bool = False) -> int | None:
        """Return the first line with a mark from `start`, forward or back, or `None`."""
        numbers = range(start, -1, -1) if back else range(start, len(self))
        return next((number for number in numbers if self.marks[number] & mark), None)

    def at(self, seconds: float) -> int:
        """Return how many lines had happened after `seconds` of a replay."""
        return bisect_right(self.times, seconds, 0, len(self))

    def size(self, number: int) -> int:
        """Return the size of a line in bytes; 0 for the last one, whose size is not known."""
        return self.offsets[number + 1] - self.offsets[number] if number + 1 < len(self) else 0

    def close(self) -> None:
        """Close the recording."""
        self._file.close()

    def _add(self, line: Line) -> None:
        head = head_of(self._folder, line)
        restarts = head.begins_fork or head.type == "session_resume"
        before = self._last if self._last is not None and not restarts else head.mono
        self._last = head.mono
        now = self.times[-1] if self.times else 0.0
        self.offsets.append(line.offset)
        self.times.append(now + max(0.0, head.mono - before))
        if head.type == "snapshot":
            self.snapshots.append(len(self))
        self.marks.append(_marks(head.type, line.text))


def _marks(kind: str, text: bytes) -> int:
    marks = 0 if kind in _HIDDEN else SHOWN
    match kind:
        case "tool_call":
            return marks | CALL
        case "user_message":
            return marks | USER | STEP | SAID
        case "model_request" | "edit":
            return marks | STEP
        case "model_error":
            return marks | ERROR
        case "observation":
            at = text.rfind(_CODE)
            edits = EDIT if text.find(_CHANGED, max(0, at)) >= 0 else 0
            return marks | edits | (ERROR if _failed(text, at) else 0)
        case "compaction":
            return marks | APART
        case "model_response":
            return marks | SAID | (ERROR if _CUT_OFF in text else 0)
        case "check":
            return marks | APART | (ERROR if b'"passed":false' in text else 0)
        case "round_end" if _BAD_END.search(text):
            return marks | ERROR
        case "sandbox_end" if b'"reason":"lost"' in text:
            return marks | ERROR
        case _:
            return marks


def _failed(text: bytes, at: int) -> bool:
    """Return whether an observation, whose code is at `at`, is of a call that failed."""
    code = text[at + len(_CODE) : at + len(_CODE) + 1]
    # Most end this way; only the others are searched whole.
    succeeded = text.endswith(_SUCCEEDED, 0, at) and code in (b"0", b"n")
    return (not succeeded and _FAILED.search(text) is not None) or shows_failure(text)
