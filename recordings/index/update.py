"""Updating the rows of one recording in the index, from the lines that are new."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from recordings.conversation.authors import NAMING, Authors
from recordings.errors import LineChanged, RecordingDamaged
from recordings.index.doubts import Doubts
from recordings.index.schema import PARTS, UNREAD, spaced, texts_of
from recordings.outcomes import outcome_of
from recordings.pins import pinned_facts
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import counted_reviews, excluded_events, read_reviews, tags
from recordings.storage.encoding import encode
from recordings.storage.lines import parse_line, read_head
from recordings.storage.log import Line, read_checked_lines
from recordings.store.checks import LastCheck
from recordings.store.summary import is_new_fork, reason_of

_COLUMNS = (
    *("offset", "line", "head", "parent", "parent_seq"),
    *("status", "mode", "model", "query", "batch", "first_message"),
    *("started", "ended", "rounds", "steps", "tokens"),
    *(
        "outcome",
        "score",
        "reason",
        "rubric",
        "last_check",
        "speaker",
        "longest",
        "facts",
        "doubts",
    ),
)
"""Columns of a recording's row that are read, updated and written back."""
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_800
"""Seconds since the epoch at the beginning of the year 1 and the end of the year 9999."""
_LARGEST = (1 << 63) - 1
"""Largest number in a row; a server may report a larger one."""
_LONGEST = 1 << 18
"""Characters of a text in a row: a list reads the rows of all recordings."""
_MOST_TAGS = 1000


def index_recording(
    db: sqlite3.Connection, folder: Path, keys: ReviewKeys | None = None, *, batch: str = ""
) -> None:
    """Update a recording's rows, within the caller's transaction.

    `keys`: of the home whose reviews count; without keys all count. `batch`: the name of the
    batch's folder, for a recording of a batch.
    Raises `RecordingError`, and what malformed events raise (`KeyError`, `TypeError`, …).
    """
    indexer = _Indexer(db, folder, keys, batch)
    try:
        indexer.read()
    except _Rewritten:
        indexer.clear()
        indexer = _Indexer(db, folder, keys, batch)
        indexer.read()
    indexer.write()


class _Rewritten(Exception):
    """Raised when the log does not continue the lines that are indexed."""


class _Indexer:
    def __init__(
        self, db: sqlite3.Connection, folder: Path, keys: ReviewKeys | None, batch: str
    ) -> None:
        self._keys = keys
        self._db = db
        self._folder = folder
        key = (folder.name, batch)
        db.execute("INSERT OR IGNORE INTO recordings (id, folder) VALUES (?, ?)", key)
        columns = ", ".join(_COLUMNS)
        self._number, *values = db.execute(
            f"SELECT number, {columns} FROM recordings WHERE id = ? AND folder = ?", key
        ).fetchone()
        self._row: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
        self._tools: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._authors = Authors(self._row["speaker"])
        self._doubts = Doubts(self._row["doubts"])

    def read(self) -> None:
        """Read the new lines."""
        row = self._row
        offset, first = row["offset"], row["line"]
        try:
            for line, sha256 in read_checked_lines(
                self._folder, offset=offset, number=first, head=row["head"]
            ):
                row["head"] = sha256
                self._line(line)
        except LineChanged as changed:
            if offset and changed.number == first:
                raise _Rewritten from None
            raise
        self._doubts.finish(self._folder)
        row["doubts"] = " ".join(sorted(self._doubts.names))
        if row["line"] <= 1:
            raise RecordingDamaged("The recording has no whole line.")

    def clear(self) -> None:
        """Delete the recording's rows."""
        for table in (*PARTS, "recordings"):
            self._db.execute(f"DELETE FROM {table} WHERE number = ?", (self._number,))

    def write(self) -> None:
        """Write what was read, and the reviews."""
        row, number, db = self._row, self._number, self._db
        columns = ", ".join(f"{name} = ?" for name in _COLUMNS)
        values = [_bounded(row[name]) for name in _COLUMNS]
        db.execute(f"UPDATE recordings SET {columns} WHERE number = ?", (*values, number))
        db.executemany(
            "INSERT INTO tools VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET calls = calls + ?3",
            [(number, name, calls) for name, calls in self._tools.items()],
        )
        db.executemany(
            "INSERT INTO errors VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + ?3",
            [(number, kind, count) for kind, count in self._errors.items()],
        )
        db.executemany(
            "INSERT OR IGNORE INTO authors VALUES (?, ?)",
            [(number, _bounded(name)) for name in self._authors.names],
        )
        self._write_reviews()

    def _write_reviews(self) -> None:
        db, number = self._db, self._number
        reviews = counted_reviews(self._folder, self._keys)
        uncounted = len(read_reviews(self._folder)) - len(reviews)
        db.execute(
            "UPDATE recordings SET uncounted = ?, excluded = ? WHERE number = ?",
            (uncounted, len(excluded_events(reviews)), number),
        )
        first = {
            tag
            for (tag,) in db.execute("SELECT tag FROM tags WHERE number = ? AND first", (number,))
        }
        db.execute("DELETE FROM tags WHERE number = ? AND NOT first", (number,))
        db.executemany(
            "INSERT OR IGNORE INTO tags VALUES (?, ?, 0)",
            [(number, tag) for tag in tags(reviews)],
        )
        removed = first - tags(reviews, first)
        db.executemany(
            "DELETE FROM tags WHERE number = ? AND tag = ?", [(number, t) for t in removed]
        )
        db.execute("DELETE FROM verdicts WHERE number = ?", (number,))
        db.executemany(
            "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    *(number, review.reviewer, review.role or ""),
                    *(review.time, review.sha256, review.verdict),
                )
                for review in reviews
                if review.verdict is not None
            ],
        )

    def _line(self, line: Line) -> None:
        row = self._row
        row["offset"], row["line"] = line.offset + len(line.text) + 1, line.number + 1
        if read_head(line.text).type in UNREAD:
            return
        event = parse_line(line.text)
        if event["type"] == "redaction":
            return  # it says nothing about the session
        if not _EARLIEST <= event["wall"] < _LATEST:
            raise RecordingDamaged(f"Line {line.number}: its time is out of range.")
        row["ended"] = event["wall"]
        row["status"] = "forked" if is_new_fork(event, row["status"] == "forked") else None
        if event.get("parent"):
            row["parent"], row["parent_seq"] = event["parent"]["session"], event["parent"]["seq"]
            row["started"] = event["wall"]
            row.update(outcome=None, score=None, reason="")  # those of its parent
        self._count(event["type"], event["data"])
        self._doubts.take(event["type"], event["data"])
        if event["type"] in NAMING:
            self._authors.take(event["type"], event["origin"], event["data"])
            row["speaker"] = self._authors.speaker
        if event["type"] == "session_start":
            row["started"] = event["wall"]
        for kind, text in texts_of(event["type"], event["data"]):
            place = self._db.execute(
                "INSERT INTO places (number, seq, kind, offset) VALUES (?, ?, ?, ?)",
                (self._number, event["seq"], kind, line.offset),
            ).lastrowid
            self._db.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (place, spaced(text)))

    def _count(self, kind: str, data: dict[str, Any]) -> None:
        row = self._row
        row["steps"] = max(row["steps"], data.get("step", 0))
        match kind:
            case "session_start":
                row.update(mode=data["mode"], model=data["model"])
                row.update(query=data.get("query"), batch=data.get("batch"))
                row["facts"] = _bounded(orjson.dumps(pinned_facts(data)).decode())
                row["rubric"] = data.get("rubric")
                self._db.executemany(
                    "INSERT OR IGNORE INTO tags VALUES (?, ?, 1)",
                    [(self._number, _bounded(tag)) for tag in data.get("tags", ())[:_MOST_TAGS]],
                )
            case "sent_back":
                row.update(mode="batch", batch=data["batch"])
            case "user_message":
                row["first_message"] = row["first_message"] or _bounded(data["text"])
                row["rounds"] = data["round"]
            case "model_response" if data["usage"]:
                usage = data["usage"]
                length = usage["prompt_tokens"] + usage["completion_tokens"]
                row["tokens"] += length
                row["longest"] = max(row["longest"], length)
            case "model_error":
                self._errors[data["kind"]] += 1
            case "tool_call":
                self._tools[data["name"]] += 1
            case "observation" if data["error"]:
                self._errors[data["error"]] += 1
            case "check":
                row["last_check"] = encode(asdict(LastCheck.of(data))).decode()
            case "query_outcome":
                row.update(outcome=outcome_of(data["status"]), score=data.get("score"))
                row["reason"] = reason_of(data)
            case "session_end":
                row["status"] = data["status"]
                if row["outcome"] is None:
                    row["reason"] = reason_of(data)


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    return max(-_LARGEST, min(value, _LARGEST)) if isinstance(value, int) else value
