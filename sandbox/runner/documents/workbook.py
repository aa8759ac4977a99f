"""Reads a workbook (xlsx): its sheets, their size and first rows; formulas as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from .parts import DocumentRequest, Excerpt, Unreadable, counted, fitting, row, rows_asked

MOST_UNPACKED = 1 << 30
"""Bytes that the parts of a workbook may have unpacked, all together."""
MOST_SHEETS = 50
_UNREADABLE = (KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, SyntaxError)


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the chosen sheets (`pages`) and rows. Raises `Unreadable`."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        _check(path)
        with open(path, "rb") as one, open(path, "rb") as other:  # whatever its name
            formulas = openpyxl.load_workbook(one, read_only=True, keep_links=False)
            values = openpyxl.load_workbook(other, read_only=True, keep_links=False, data_only=True)
            return _answer(formulas, values, request)
    except RuntimeError:  # what zipfile raises for a member with a password
        raise Unreadable("encrypted", "The workbook is encrypted.") from None
    except (zipfile.BadZipFile, InvalidFileException, NotImplementedError, *_UNREADABLE):
        raise Unreadable("damaged", "It is not a readable workbook: damaged.") from None


def _check(path: str) -> None:
    """Raises `Unreadable` for what would fill the memory before it is read."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_UNPACKED:
        raise Unreadable("too_large", f"It has {size:,} bytes unpacked: it is not read.")


def _answer(formulas: Any, values: Any, request: DocumentRequest) -> Excerpt:
    names = formulas.sheetnames
    chosen = request.chosen(len(names), "sheet")
    answer = Excerpt(notes=[f"workbook, {counted(len(names), 'sheet')}"])
    room = request.room
    for index in list(chosen)[:MOST_SHEETS]:
        sheet = formulas.worksheets[index] if index < len(formulas.worksheets) else None
        if sheet is None:
            answer.lines.append(f"--- sheet {index + 1}: a chart ---")
            continue
        rows, columns = sheet.max_row, sheet.max_column
        size = f"{rows:,} rows x {columns:,} columns" if rows else "size not stated"
        lines = [f"--- sheet {index + 1}: {sheet.title} ({size}) ---"]
        lines += fitting(_rows(sheet, values.worksheets[index], request), room - len(lines[0]))
        room -= sum(len(line) + 1 for line in lines)
        answer.lines += lines
        shown, (first, _) = len(lines) - 1, rows_asked(request)
        if rows and first + shown < rows:
            more = f"pages={index + 1}, offset={first + shown + 1}"
            answer.notes.append(
                f"sheet {index + 1}: rows {first + 1:,}-{first + shown:,}; "
                f"go on with {more}"  # words: allow
            )
        if room <= 0:
            break
    return answer


def _rows(formulas: Any, values: Any, request: DocumentRequest) -> Iterator[str]:
    first, count = rows_asked(request)
    bounds = {"min_row": first + 1, "max_row": first + count, "values_only": True}
    both = (formulas.iter_rows(**bounds), values.iter_rows(**bounds))
    for written, computed in zip(*both):  # noqa: B905 (Python 3.9)
        yield row(list(map(_value, _trimmed(written), computed)))


def _trimmed(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    end = len(cells)
    while end and cells[end - 1] is None:
        end -= 1
    return cells[:end]


def _value(written: Any, computed: Any) -> Any:
    """Return a cell; of a formula its text, and the value that the file keeps for it."""
    is_formula = isinstance(written, str) and written.startswith("=")
    return f"{written} → {computed}" if is_formula and computed is not None else written
