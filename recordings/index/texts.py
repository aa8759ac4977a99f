"""Reading the indexed texts again from their places in the logs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from recordings.index.schema import spaced, texts_of
from recordings.storage.lines import parse_line
from recordings.storage.log import read_lines


def indexed_texts(
    db: sqlite3.Connection, folder: Path, batch: str = ""
) -> Iterator[tuple[int, str]]:
    """Yield (place, text as it was indexed) of everything that is indexed of a recording.

    `batch`: the name of the batch's folder, for a recording of a batch.
    Raises `RecordingError`, `LookupError`, `TypeError` when the log is not what was indexed.
    """
    places = db.execute(
        "SELECT p.place, p.kind, p.offset FROM places p JOIN recordings USING (number) "
        "WHERE id = ? AND folder = ?",
        (folder.name, batch),
    ).fetchall()
    for place, kind, offset in places:
        yield place, spaced(text_at(folder, kind, offset))


def text_at(folder: Path, kind: str, offset: int) -> str:
    """Return the text of one kind in the line at an offset.

    Raises `RecordingError`, `LookupError`, `TypeError` when it does not exist.
    """
    for line in read_lines(folder, offset=offset):
        event = parse_line(line.text)
        texts = dict(texts_of(event["type"], event["data"]))
        return texts[kind]
    raise LookupError(offset)
