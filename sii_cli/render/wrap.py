"""Breaks streamed text into lines of a terminal, word by word, measuring wide characters."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from sii_cli.render.sanitise import sanitise


def break_line(line: str, width: int) -> tuple[str, str]:
    """Return what fits into `width` cells, and the rest (empty when all of it fits)."""
    window = line[: 8 * width]  # a long line costs no more than a short one
    if cell_len(window) <= width and len(window) == len(line):
        return line, ""
    head = set_cell_size(window, width).rstrip(" ") if width > 1 else line[:1]
    if not line.startswith(head):  # half of a wide character was cut off
        head = head[:-1]
    if line[len(head) : len(head) + 1] != " ":
        space = head.rfind(" ")
        if head[: space + 1].strip():
            head = head[:space]
    head = head or line[0]
    return head, line[len(head) :].lstrip(" ")


def wrap(line: str, width: int) -> list[str]:
    """Break one line (without newlines) into as many as it needs; an empty line stays one."""
    lines = []
    while True:
        head, line = break_line(line, width)
        lines.append(head)
        if not line:
            return lines


def cut(line: str, width: int) -> str:
    """Return one line, its end left out where it is wider than `width` cells (at least 1)."""
    if cell_len(line) <= width:
        return line
    return set_cell_size(line, width - 1).rstrip() + "…"


class LineStream:
    """Turns text that arrives in pieces into whole lines and the line still growing.

    The cost of a piece does not grow with the text before it.
    """

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._raw = ""

    def feed(self, text: str) -> list[str]:
        """Take a piece; return the lines that are complete by it, sanitised."""
        *whole, raw = (self._raw + text).split("\n")
        self._raw = raw[raw.rfind("\r", 0, -1) + 1 :]  # a progress bar does not pile up
        lines = [part for raw in whole for part in self._wrap(sanitise(raw))]
        if self._width is not None and len(self._raw) > self._width:
            *full, last = self._wrap(sanitise(self._raw))
            if full:
                lines += full
                self._raw = last
        return lines

    @property
    def growing(self) -> str:
        """The line that is not complete yet."""
        return sanitise(self._raw)

    def end(self) -> list[str]:
        """Return what is left as lines; none when the text ended with a newline."""
        left, self._raw = self._raw, ""
        return self._wrap(sanitise(left)) if left else []

    def _wrap(self, line: str) -> list[str]:
        return [line] if self._width is None else wrap(line, self._width)
