"""Breaks streamed text into lines of a terminal, word by word, measuring wide characters."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

from sii_cli.text.sanitise import sanitise

_SPACES = re.compile(" *")


def break_line(line: str, width: int) -> tuple[str, str]:
    """Return what fits into `width` cells, and the rest (empty when all of it fits)."""
    head, after = _head(line, 0, width)
    return head, line[after:]


def _head(line: str, start: int, width: int) -> tuple[str, int]:
    """Return what fits of a line from a place on, and the place where the rest begins."""
    window = line[start : start + width + 1]  # a long line costs no more than a short one
    if cell_len(window) <= width:  # characters without a width of their own
        window = line[start : start + 8 * width]
    if start + len(window) == len(line) and cell_len(window) <= width:
        return window, len(line)
    head = set_cell_size(window, width).rstrip(" ") if width > 1 else window[:1]
    if not window.startswith(head):  # half of a wide character was cut off
        head = head[:-1]
    if not line.startswith(" ", start + len(head)):
        space = head.rfind(" ")
        if head[: space + 1].strip():
            head = head[:space]
    head = head or window[0]
    spaces = _SPACES.match(line, start + len(head))
    return head, spaces.end() if spaces else len(line)


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
        """Return what is left as lines; none when the text ended with a newline."""
        left = self._take()
        return self._wrap(sanitise(left)) if left else []

    def _fits(self, text: str) -> bool:
        """Tell whether a piece only makes the line longer."""
        if "\n" in text or "\r" in text or (self._pieces and self._pieces[-1][-1:] == "\r"):
            return False
        return self._width is None or self.size + len(text) <= self._width

    def _take(self) -> str:
        raw = "".join(self._pieces)
        self._pieces, self.size = [], 0
        return raw

    def _wrap(self, line: str) -> list[str]:
        return [line] if self._width is None else wrap(line, self._width)
