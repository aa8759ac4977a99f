"""Makes raw output readable for a model: safe text, progress bars folded, head and tail only.

Knows nothing of commands or tools. Only the lines that are shown are worked on, so that the cost
of a long output is that of finding its newlines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.base import Cut

HEAD = 10_000
"""Characters of a long output's beginning that are shown."""
TAIL = 20_000
"""Characters of its end; errors stand at the end, so it gets more."""
LINE = 2_000
"""Bytes of one line that are shown."""
HITS = 30_000
"""Characters of what a search lists (`glob`, `grep`)."""
PAGE = 60_000
"""Characters of a file (`read_file`) or of a web page (`web_fetch`) that one call shows."""

# ECMA-48 sequences in their 7-bit form. A sequence that is not ended ends with its line, so that
# it cannot hide what follows.
_ESCAPE = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]?"  # CSI
    rb"|\][^\x1b\x07]*(?:\x07|\x1b\\)?"  # OSC
    rb"|[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    rb"|[ -/]*[0-~]?"  # character sets and everything with two characters
    rb")"
)
_C1_AS_ESCAPE = tuple(
    (chr(code).encode(), b"\x1b" + bytes([code - 0x40]))
    for code in (0x90, 0x98, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F)
)
_TO_FIRST_COLUMN = (b"\x1b[G", b"\x1b[0G", b"\x1b[1G")
_LOOK_BACK = 50
"""States of a progress bar that are looked at, from the last back, for one that shows text."""
_TAKEN_BACK = re.compile(rb"[ -~]\x08")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))}


@dataclass(frozen=True, slots=True)
class ShapedOutput:
    """A command's output as the model reads it: shortened, without escape sequences."""

    text: str
    """Without the newline that ended the output."""
    cut: Cut | None = None
    """What was left out, in raw bytes. Overwritten progress and escape sequences of shown lines
    do not count."""


def shape(
    raw: bytes,
    *,
    dropped: int = 0,
    dropped_at: int = 0,
    head: int = HEAD,
    tail: int = TAIL,
    line: int = LINE,
) -> ShapedOutput:
    """Return `raw` as text of about `head + tail` characters at most.

    `dropped` bytes are already missing from `raw` at offset `dropped_at`. Long lines are cut
    after `line` bytes; a long output loses its middle, always whole lines of it. Both are said
    in the text.
    """
    size = len(raw)
    if not dropped:
        dropped_at = size
        whole = _fitting(_lines(raw, size), head + tail, line)
        if whole.size == size:
            return ShapedOutput("\n".join(whole.lines), Cut(whole.cut, 0) if whole.cut else None)
    first = _fitting(_lines(raw, dropped_at), head, line)
    last = _fitting(_lines_from_end(raw, dropped_at if dropped else first.size), tail, line)
    elided = size - first.size - last.size + dropped
    lines = raw.count(b"\n", first.size, size - last.size)
    about = "more than " if dropped else ""
    lost = f", {dropped:,} of them lost to the output limit" if dropped else ""
    note = f"[... {elided:,} bytes in {about}{lines:,} lines left out{lost} ...]"
    text = "\n".join([*first.lines, note, *reversed(last.lines)])
    return ShapedOutput(text, Cut(elided + first.cut + last.cut, lines))


def show(raw: bytes) -> str:
    r"""Decode UTF-8; bytes that are none and control characters but tab and newline as \xNN."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROLS)


def show_line(raw: bytes, limit: int = LINE) -> str:
    """Show one line; of a long one the first `limit` bytes and how many more there are."""
    kept = _kept(raw, limit)
    return show(kept) + _more(raw, kept)


def _last_state(line: bytes) -> bytes:
    """Return what is left of a line when carriage returns have overwritten the rest."""
    for sequence in _TO_FIRST_COLUMN:
        line = line.replace(sequence, b"\r")
    line = line.rstrip(b"\r")
    end = len(line)
    for _ in range(_LOOK_BACK):
        start = line.rfind(b"\r", 0, end) + 1
        state = line[start:end]
        if start == 0 or len(state) > LINE or _plain(state):
            return state
        end = start - 1
    return b""


def _plain(data: bytes) -> bytes:
    """Remove escape sequences, and what a backspace takes back."""
    if b"\xc2" in data:
        for c1, escape in _C1_AS_ESCAPE:
            data = data.replace(c1, escape)
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    return _TAKEN_BACK.sub(b"", data) if b"\b" in data else data


def _kept(line: bytes, limit: int) -> bytes:
    return line if len(line) <= limit else _whole_characters(line[:limit])


def _more(line: bytes, kept: bytes) -> str:
    more = len(line) - len(kept)
    return f" [... {more:,} more bytes in this line]" if more else ""


def _whole_characters(data: bytes) -> bytes:
    """Drop the beginning of a UTF-8 character at the end of `data`."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if width > back else data
        if byte < 0x80:
            break
    return data


@dataclass(slots=True)
class _FittingLines:
    lines: list[str]
    size: int
    """Bytes of the input that the lines stand for, with their newlines."""
    cut: int
    """Bytes that long lines lost."""


def _fitting(lines: Iterator[bytes], budget: int, limit: int) -> _FittingLines:
    """Return the first lines (each with its newline) whose text fits the budget."""
    fitting = _FittingLines([], 0, 0)
    for line in lines:
        content = line.removesuffix(b"\n")
        if b"\r" in content or b"\x1b[" in content:
            content = _last_state(content)
        kept = _kept(content, limit)
        text = show(_plain(kept)) + _more(content, kept)
        budget -= len(text) + 1
        if budget < 0:
            break
        fitting.lines.append(text)
        fitting.size += len(line)
        fitting.cut += len(content) - len(kept)
    return fitting


def _lines(data: bytes, stop: int) -> Iterator[bytes]:
    start = 0
    while start < stop:
        end = data.find(b"\n", start, stop) + 1 or stop
        yield data[start:end]
        start = end


def _lines_from_end(data: bytes, stop: int) -> Iterator[bytes]:
    end = len(data)
    while end > stop:
        start = data.rfind(b"\n", stop, end - 1) + 1 or stop
        yield data[start:end]
        end = start
