"""What the readers of documents share: the request, the answer, and how lines are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

CELL = 200
"""Characters of a table's cell that are shown."""
FIRST_ROWS = 20
"""Rows of a table that are shown where no number is asked for."""
MOST_COLUMNS = 60


class Unreadable(Exception):
    """Raised for a file that cannot be shown; `kind` as in a tool's error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class DocumentRequest:
    """What of a document is to be shown. Numbers count from 1; `None` means not given."""

    pages: str | None = None
    offset: int | None = None
    limit: int | None = None
    room: int = 60_000
    """Characters of the text."""

    def chosen(self, count: int, what: str) -> range:
        """Return the chosen pages of so many, as indexes. Raises `Unreadable`."""
        if self.pages is None:
            return range(count)
        first, dash, last = self.pages.partition("-")
        begin, end = int(first), int(last) if last else (count if dash else int(first))
        if not 1 <= begin <= min(end, count):
            raise Unreadable("out_of_range", f"There is no {what} {self.pages}: it has {count:,}.")
        return range(begin - 1, min(end, count))


@dataclass
class Excerpt:
    """A document's text, and what a reader of it must know."""

    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def window(lines: Iterable[str], request: DocumentRequest) -> Excerpt:
    """Return the lines that were asked for, as many as there is room for."""
    first = (request.offset or 1) - 1
    room, answer, number = request.room, Excerpt(), 0
    more = False
    for number, line in enumerate(lines, 1):
        if number <= first:
            continue
        room -= len(line) + 1
        if answer.lines and (room < 0 or len(answer.lines) == request.limit):
            more = True
            break
        answer.lines.append(line if room >= 0 else line[: request.room])
    if first and not answer.lines:
        raise Unreadable("out_of_range", f"Its text has {number:,} lines.")
    last = first + len(answer.lines)
    if first or more:
        go_on = f"; go on with offset={last + 1}" if more else ""  # words: allow
        answer.notes.append(f"lines {first + 1:,}-{last:,} of its text{go_on}")
    return answer


def cell(value: object) -> str:
    """Return a value as one short line that no other cell can be mistaken for."""
    text = "" if value is None else str(value)
    text = " ".join(text.split()) if len(text) <= 4 * CELL else " ".join(text[: 4 * CELL].split())
    text = text.replace("|", "\\|")
    return text if len(text) <= CELL else f"{text[:CELL]}…"


def row(values: Sequence[object]) -> str:
    """Return a table's row as one line."""
    shown = " | ".join(cell(value) for value in values[:MOST_COLUMNS])
    left = len(values) - MOST_COLUMNS
    return f"| {shown} |" + (f" … {left:,} more columns" if left > 0 else "")


def counted(number: int, word: str) -> str:
    """Return a number with its word."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def rows_asked(request: DocumentRequest) -> tuple[int, int]:
    """Return the first row (from 0) of a table that is to be shown, and how many."""
    return (request.offset or 1) - 1, request.limit or FIRST_ROWS


def fitting(rows: Iterator[str], room: int) -> list[str]:
    """Return the first rows for which there is room."""
    shown: list[str] = []
    for one in rows:
        room -= len(one) + 1
        if room < 0:
            break
        shown.append(one)
    return shown
