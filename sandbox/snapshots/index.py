"""Where each packed object stands: a SQLite file beside the packs, derived from them alone.

It may be deleted at any time: what it does not know is read from the packs' own tables again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from sandbox.snapshots.errors import SnapshotError
from sandbox.snapshots.pack import Place, read_table

T = TypeVar("T")
_PATIENCE = 60.0
"""Seconds to wait while another process writes."""
_ASKED = 500
"""Objects that are asked for at once."""
_TABLES = """
CREATE TABLE IF NOT EXISTS packs (
    number INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, end INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS objects (
    sha256 BLOB PRIMARY KEY, pack INTEGER, block INTEGER, start INTEGER, size INTEGER
) WITHOUT ROWID;
"""
_INSERT = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?)"
_FIND = "SELECT name, block, start, size FROM objects JOIN packs ON pack = number WHERE sha256 = ?"


class ObjectIndex:
    """The index of the packs in a folder; not for several threads at a time."""

    def __init__(self, path: str, packs: str) -> None:
        self._path = path
        self._packs = packs
        self._db: sqlite3.Connection | None = None

    def find(self, sha256: bytes) -> Place | None:
        """Return where an object stands. Raises `SnapshotError`."""
        row = self._do(lambda db: db.execute(_FIND, (sha256,)).fetchone())
        return Place(*row) if row else None

    def has(self, sha256: bytes) -> bool:
        """Whether an object is in a pack. Raises `SnapshotError`."""
        query = "SELECT 1 FROM objects WHERE sha256 = ?"
        return self._do(lambda db: db.execute(query, (sha256,)).fetchone()) is not None

    def known(self, sha256s: Iterable[bytes]) -> set[bytes]:
        """Return those of many objects that are in a pack. Raises `SnapshotError`."""
        asked = sorted(sha256s)
        groups = [asked[at : at + _ASKED] for at in range(0, len(asked), _ASKED)]
        return {row[0] for group in groups for row in self._do(partial(_ask, group))}

    def add(self, pack: str, end: int, objects: Iterable[tuple[bytes, int, int, int]]) -> None:
        """Take in (sha256, block, start, size) of what a pack of `end` bytes holds now.

        Raises `SnapshotError`.
        """
        rows = sorted(objects)
        self._do(lambda db: _add(db, pack, end, rows))

    def catch_up(self) -> None:
        """Take in what stands in the packs and is not known. Raises `SnapshotError`."""
        self._do(self._read_packs)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, on an index made anew when the file is damaged."""
        try:
            try:
                return work(self._open())
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._delete()
                return work(self._open())
        except (sqlite3.Error, OSError) as error:
            raise SnapshotError(
                f"The index of the snapshots {self._path} cannot be used ({error}): make room and "
                "check its rights, or delete it (it is made anew)."
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            is_new = not os.path.exists(self._path)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            db = sqlite3.connect(
                self._path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None
            )
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.executescript(_TABLES)
                if is_new:
                    self._read_packs(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _delete(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self._path + suffix)

    def _read_packs(self, db: sqlite3.Connection) -> None:
        known = dict(db.execute("SELECT name, end FROM packs").fetchall())
        with suppress(FileNotFoundError), os.scandir(self._packs) as found:
            for item in found:
                begin = known.get(item.name, 0)
                if item.name.endswith(".pack") and item.stat().st_size > begin:
                    objects, end = read_table(item.path, begin)
                    _add(db, item.name, end, sorted(objects))


def _ask(sha256s: list[bytes], db: sqlite3.Connection) -> list[tuple[bytes]]:
    places = ",".join("?" * len(sha256s))
    return db.execute(f"SELECT sha256 FROM objects WHERE sha256 IN ({places})", sha256s).fetchall()


def _add(
    db: sqlite3.Connection, pack: str, end: int, rows: list[tuple[bytes, int, int, int]]
) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(
            "INSERT INTO packs (name, end) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET end = max(end, excluded.end)",
            (pack, end),
        )
        (number,) = db.execute("SELECT number FROM packs WHERE name = ?", (pack,)).fetchone()
        db.executemany(
            _INSERT,
            ((sha256, number, block, start, size) for sha256, block, start, size in rows),
        )
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
