"""Reads a table of lines (csv, tsv): its columns, how many rows, the first of them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator

from .parts import DocumentRequest, Excerpt, Unreadable, counted, fitting, row

SAMPLE = 1 << 20
"""Bytes of the beginning that columns are judged by."""
MOST_COUNTED = 64 << 20
"""Bytes up to which rows are counted; of more their number is estimated."""
_PIECE = 1 << 20
_ROWS = 20


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the table at a glance. Raises `Unreadable`."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        sample = file.read(SAMPLE)
        if size > len(sample):
            sample = sample[: sample.rfind(b"\n") + 1] or sample
        count, how = _count(file, sample, size)
    text, encoding = _decode(sample)
    csv.field_size_limit(SAMPLE)
    try:
        dialect = _dialect(path, text)
        table = [one for one in csv.reader(io.StringIO(text, newline=""), dialect) if one]
    except csv.Error as error:
        raise Unreadable("damaged", f"It is not a readable table ({error}): use bash.") from None
    if not table:
        return Excerpt(notes=["a table without rows"])
    names, rows = table[0], table[1:]
    if how == "counted" and size <= len(sample):
        count = len(rows)
    lines = [*_schema(names, rows), "", row(names)]
    lines += fitting(map(row, rows[:_ROWS]), request.room - sum(map(len, lines)))
    total = counted(count, "row") if how == "counted" else f"about {counted(count, 'row')} ({how})"
    notes = [f"table, {total}, {counted(len(names), 'column')}; the first row names the columns"]
    if encoding != "utf-8":
        notes.append(f"read as {encoding}")
    notes.append("the first rows are shown; offset shows its lines as they are")
    return Excerpt(lines, notes)


def _decode(sample: bytes) -> tuple[str, str]:
    for encoding in ("utf-16", "utf-8-sig"):
        if encoding == "utf-8-sig" or sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
            try:
                text = sample.decode(encoding)
            except UnicodeDecodeError:
                continue
            return text, "utf-16" if encoding == "utf-16" else "utf-8"
    return sample.decode("latin-1"), "latin-1"


def _dialect(path: str, text: str) -> type[csv.Dialect]:
    class Found(csv.excel):
        delimiter = "\t" if path.lower().endswith(".tsv") else ","

    first = text[: text.find("\n") if "\n" in text else len(text)]
    if Found.delimiter not in first:
        Found.delimiter = max(",;\t|", key=first.count)
    return Found


def _count(file: io.BufferedReader, sample: bytes, size: int) -> tuple[int, str]:
    """Return how many rows there are below the names, and how that is known."""
    if size > MOST_COUNTED:
        lines = max(sample.count(b"\n"), 1)
        mean = len(sample) / lines
        return max(round(size / mean) - 1, 0), f"estimated from the first {len(sample):,} bytes"
    quoted, lines, last = False, 0, b""
    file.seek(0)
    while piece := file.read(_PIECE):
        if b'"' not in piece and not quoted:
            lines += piece.count(b"\n")
        else:
            parts = piece.split(b'"')
            for part in parts[:-1]:
                lines += 0 if quoted else part.count(b"\n")
                quoted = not quoted
            lines += 0 if quoted else parts[-1].count(b"\n")
        last = piece[-1:]
    return max(lines - 1 + (last != b"\n"), 0), "counted"


def _schema(names: list[str], rows: list[list[str]]) -> Iterator[str]:
    for index, name in enumerate(names[:200]):
        values = [one[index] for one in rows if index < len(one)]
        yield f"{index + 1}. {' '.join(name.split())[:100] or '(no name)'}: {_kind(values)}"
    if len(names) > 200:
        yield f"… {len(names) - 200:,} more columns"


def _kind(values: list[str]) -> str:
    filled = [value for value in values[:1000] if value.strip()]
    empty = "" if len(filled) == len(values[:1000]) else ", some empty"
    if not filled:
        return "empty"
    for kind, convert in (("integer", int), ("number", float)):
        try:
            for value in filled:
                convert(value if len(value) < 40 else "not a number")
        except ValueError:
            continue
        return kind + empty
    return "text" + empty
