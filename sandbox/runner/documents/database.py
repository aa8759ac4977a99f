"""Reads an SQLite database: its tables, their columns and counts, the first rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from urllib.parse import quote

from .parts import DocumentRequest, Excerpt, Unreadable, counted, fitting, row, rows_asked

MOST_TABLES = 100
COUNTING = 1.0
"""Seconds for counting the rows of all tables."""
_READING = 5.0
_OFTEN = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the chosen tables (`pages`). Raises `Unreadable`."""
    try:
        database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        return _answer(database, request)
    except sqlite3.DatabaseError as error:
        words = " ".join(str(error).split())[:200]
        raise Unreadable("damaged", f"The SQLite database cannot be read: {words}.") from None


def _answer(database: sqlite3.Connection, request: DocumentRequest) -> Excerpt:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
    _limit(database, _READING)
    names = [name for (name,) in database.execute(query + "ESCAPE '\\' ORDER BY rowid LIMIT 10000")]
    answer = Excerpt(notes=[f"SQLite database, {counted(len(names), 'table')}"])
    if not names:
        return answer
    room, end = request.room, time.monotonic() + COUNTING
    for index in list(request.chosen(len(names), "table"))[:MOST_TABLES]:
        count = _count(database, names[index], end)
        title = f"--- table {index + 1}: {names[index][:100]} ({count}) ---"
        lines = [title, *fitting(_table(database, names[index], request), room - len(title))]
        room -= sum(len(line) + 1 for line in lines)
        answer.lines += lines
        if room <= 0:
            break
    answer.notes.append("the first rows of each table; pages=N, offset and limit choose others")
    return answer


def _limit(database: sqlite3.Connection, seconds: float) -> None:
    end = time.monotonic() + seconds
    database.set_progress_handler(lambda: time.monotonic() > end, _OFTEN)


def _count(database: sqlite3.Connection, name: str, end: float) -> str:
    _limit(database, max(end - time.monotonic(), 0.01))
    try:
        (count,) = database.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()
    except sqlite3.OperationalError:
        return "too many rows to count quickly"
    return counted(count, "row")


def _table(database: sqlite3.Connection, name: str, request: DocumentRequest) -> Iterator[str]:
    _limit(database, _READING)
    columns = database.execute(f"PRAGMA table_info({_quoted(name)})").fetchmany(2000)
    yield "columns: " + ", ".join(f"{one[1]} {one[2]}".strip()[:100] for one in columns[:200])
    shown = columns[:60]
    yield row([one[1] for one in shown])
    cells = ", ".join(_cell(one[1]) for one in shown)
    first, count = rows_asked(request)
    try:
        query = f"SELECT {cells} FROM {_quoted(name)} LIMIT ? OFFSET ?"
        for one in database.execute(query, (count, first)):
            yield row([f"({len(v):,} bytes)" if isinstance(v, bytes) else v for v in one])
    except sqlite3.OperationalError as error:
        yield f"[its rows cannot be shown: {error}]"


def _cell(column: str) -> str:
    """Return the expression of a cell that is not read whole when it is long."""
    name = _quoted(column)
    return f"CASE typeof({name}) WHEN 'text' THEN substr({name}, 1, 1000) ELSE {name} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
