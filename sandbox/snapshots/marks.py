"""A set of sha256s that may be larger than the memory: a private table, gone with its owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

_CACHE_KIB = 16 << 10


class Marks:
    """The set of marked objects, by binary sha256."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # on the disk, without a name
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute("CREATE TABLE marks (sha256 BLOB PRIMARY KEY) WITHOUT ROWID")

    def __contains__(self, sha256: bytes) -> bool:
        return (
            self._db.execute("SELECT 1 FROM marks WHERE sha256 = ?", (sha256,)).fetchone()
            is not None
        )

    def add(self, sha256s: Iterable[bytes]) -> None:
        """Add objects to the set."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO marks VALUES (?)", ((one,) for one in sha256s))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Delete the table."""
        self._db.close()
