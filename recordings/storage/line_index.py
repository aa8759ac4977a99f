"""Where each line of a recording begins, what it is and when it happened: read as far as needed.

Of a line only its head is looked at, so an index of hundreds of megabytes takes about as long as
reading them; one event is then read from its place. Memory grows by 17 bytes a line.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.errors import RecordingDamaged
from recordings.storage.lines import decode_event, parse_line
from recordings.storage.log import LONGEST_LINE, Line, open_log, read_lines

if TYPE_CHECKING:
    from recordings.events import Event

CALL, ERROR, USER, SHOWN, STEP, SAID = 1, 2, 4, 8, 16, 32
"""Marks of a line: a call begins, something failed, a human spoke, it is shown, a step begins,
somebody said something (a human, or the model)."""

_HEAD = re.compile(rb'"mono":([0-9.eE+-]+),"type":"([a-z_]+)"')
_HEAD_BYTES = 250
_HIDDEN = frozenset(
    {
        *(b"model_delta", b"tool_output", b"model_request", b"raw_generation", b"session_resume"),
        *(b"snapshot", b"summary_request", b"summary_response", b"stub", b"query_outcome"),
    }
)
_FAILED = re.compile(rb'"error":"|"exit_code":-?[1-9]')
_CUT_OFF = b'"complete":false'
_BAD_END = re.compile(rb'"status":"(?!answered|interrupted|done)')
_LINES = 256
"""Lines that are read at a time."""


class LineIndex:
    """An index that grows while it is asked. One thread may extend it while others read."""

    def __init__(self, folder: Path) -> None:
        """Raises `RecordingNotFound`."""
        self._folder = folder
        self._file = open_log(folder)
        self._lines = read_lines(folder)
        self._last: float | None = None
        self.offsets = array("Q")
        self.times = array("d")
        """Seconds of a replay at which each line happened; pauses between runs count as none."""
        self.marks = bytearray()
        """Grows last: what it holds of a line, the others do."""
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
        """Return the first line with a mark from `start` on, or back; none as far as was read."""
        numbers = range(start, -1, -1) if back else range(start, len(self))
        return next((number for number in numbers if self.marks[number] & mark), None)

    def at(self, seconds: float) -> int:
        """Return how many lines had happened after so many seconds."""
        return bisect_right(self.times, seconds, 0, len(self))

    def size(self, number: int) -> int:
        """Return a line's bytes, roughly; the last one's are not known."""
        return self.offsets[number + 1] - self.offsets[number] if number + 1 < len(self) else 0

    def close(self) -> None:
        """Let go of the recording."""
        self._file.close()

    def _add(self, line: Line) -> None:
        text = line.text
        head = _HEAD.search(text, 0, _HEAD_BYTES)
        if head is None:
            raise RecordingDamaged(f"Line {line.number} of {self._folder.name} is no event.")
        mono, kind = float(head[1]), head[2]
        begins_anew = kind == b"session_resume" or b'"parent":{' in text[:_HEAD_BYTES]
        before = self._last if self._last is not None and not begins_anew else mono
        self._last = mono
        now = self.times[-1] if self.times else 0.0
        self.offsets.append(line.offset)
        self.times.append(now + max(0.0, mono - before))
        self.marks.append(_marks(kind, text))


def _marks(kind: bytes, text: bytes) -> int:
    marks = 0 if kind in _HIDDEN else SHOWN
    match kind:
        case b"tool_call":
            return marks | CALL
        case b"user_message":
            return marks | USER | STEP | SAID
        case b"model_request":
            return marks | STEP
        case b"model_error":
            return marks | ERROR
        case b"observation" if _FAILED.search(text):
            return marks | ERROR
        case b"model_response":
            return marks | SAID | (ERROR if _CUT_OFF in text else 0)
        case b"round_end" if _BAD_END.search(text):
            return marks | ERROR
        case b"sandbox_end" if b'"reason":"lost"' in text:
            return marks | ERROR
        case _:
            return marks
