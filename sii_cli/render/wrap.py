"""Breaks streamed text into lines of a terminal, word by word, measuring wide characters."""

from __future__ import annotations

import re

from rich.cells import cell_len, get_character_cell_size, set_cell_size

from sii_cli.text.sanitise import sanitise

_SPACES = re.compile(" *")
_NARROW = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u2500-\u25fc\u2800-\u28ff]*")
"""Characters of one cell, as most are: they are not measured one by one."""
_JOINER, _WIDE_FORM = "\u200d", "\ufe0f"


def break_line(line: str, width: int) -> tuple[str, str]:
    """Return what fits into `width` cells, and the rest (empty when all of it fits)."""
    head, after = _head(line, 0, width)
    return head, line[after:]


def _head(line: str, start: int, width: int) -> tuple[str, int]:
    """Return what fits of a line from a place on, and the place where the rest begins."""
    end = _fit(line, start, width)
    if end == len(line):
        return line[start:], end
    head = line[start:end].rstrip(" ")
    if not line.startswith(" ", start + len(head)):
        space = head.rfind(" ")
        if head[: space + 1].strip():
            head = head[:space]
    head = head or line[start]
    spaces = _SPACES.match(line, start + len(head))
    return head, spaces.end() if spaces else len(line)


def _fit(line: str, start: int, width: int) -> int:
    """Return the place up to which a line fits into `width` cells from a place on.

    Of characters without a width of their own a bounded number fits: a long line costs no more
    than a short one.
    """
    narrow = _NARROW.match(line, start, start + width)
    at = narrow.end() if narrow else start
    base, cells, size = at - 1, at - start, 1  # `base`: the last character that has a width
    most = min(len(line), start + 8 * width)
    while at < most:
        character = line[at]
        if character == _JOINER:  # the next one is drawn into the last one
            at += 2
            continue
        if character == _WIDE_FORM:  # the last one takes two cells
            begin, more = base, int(size == 1)
        else:
            begin, more = at, get_character_cell_size(character)
        if more and (cells := cells + more) > width:
            return begin
        if more:
            base, size = begin, more
        at += 1
    return min(at, len(line))


def wrap(line: str, width: int) -> list[str]:
    """Break one line (without newlines) into as many as it needs; an empty line stays one."""
    head, after = _head(line, 0, width)
    lines = [head]
    while after < len(line):
        head, after = _head(line, after, width)
        lines.append(head)
    return lines


def cut(line: str, width: int) -> str:
    """Return one line, its end left out where it is wider than `width` cells (at least 1)."""
    window = line[: 8 * width]
    if len(window) == len(line) and cell_len(line) <= width:
        return line
    return set_cell_size(window, width - 1).rstrip() + "…"


class GrowingRows:
    """Breaks a line that grows into rows; a row that is full is broken once."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._line = ""
        self._full: list[str] = []
        self._after = 0
        """Where the rows that are full end."""

    def of(self, line: str) -> list[str]:
        """Return the rows of a line; cheap when it is the last one with more at its end."""
        if not line.startswith(self._line):
            self._full, self._after = [], 0
        self._line = line
        head, after = _head(line, self._after, self._width)
        while after < len(line):
            self._full.append(head)
            self._after = after
            head, after = _head(line, after, self._width)
        return [*self._full, head]


class LineStream:
    """Turns text that arrives in pieces into whole lines and the line still growing.

    The cost of a piece does not grow with the text before it.
    """

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._pieces: list[str] = []
        """Of the line that is not complete yet."""
        self.size = 0
        """Characters of it."""

    def feed(self, text: str) -> list[str]:
        """Take a piece; return the lines that are complete by it, sanitised."""
        if self._fits(text):
            self._pieces.append(text)
            self.size += len(text)
            return []
        *whole, raw = (self._take() + text).split("\n")
        raw = raw[raw.rfind("\r", 0, -1) + 1 :]  # a progress bar does not pile up
        lines = [part for raw in whole for part in self._wrap(sanitise(raw))]
        if self._width is not None and len(raw) > self._width:
            *full, last = self._wrap(sanitise(raw))
            lines += full
            if full or len(raw) > 8 * self._width:  # also what shows next to nothing has a bound
                raw = last
        self._pieces, self.size = [raw], len(raw)
        return lines

    @property
    def growing(self) -> str:
        """The line that is not complete yet."""
        self._pieces = ["".join(self._pieces)]
        return sanitise(self._pieces[0])

    def part(self) -> str:
        """Return the growing line up to its last space as if it ended there; the rest goes on."""
        head, _, rest = self._take().rpartition(" ")
        if not head:
            head, rest = rest, ""
        self._pieces, self.size = [rest], len(rest)
        return sanitise(head)

    def end(self) -> list[str]:
        """Return what is left as lines; nothing when the text ended with a newline."""
        left = self._take()
        return self._wrap(sanitise(left)) if left else []

    def _fits(self, text: str) -> bool:
        """Return whether a piece only makes the line longer."""
        if "\n" in text or "\r" in text or (self._pieces and self._pieces[-1][-1:] == "\r"):
            return False
        return self._width is None or self.size + len(text) <= self._width

    def _take(self) -> str:
        raw = "".join(self._pieces)
        self._pieces, self.size = [], 0
        return raw

    def _wrap(self, line: str) -> list[str]:
        return [line] if self._width is None else wrap(line, self._width)
