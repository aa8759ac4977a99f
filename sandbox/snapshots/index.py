"""Where each packed object stands: a SQLite file beside the packs, derived from them alone.

It may be deleted at any time: what it does not know is read from the packs' own tables again.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache, partial
from typing import TypeVar

from sandbox.snapshots.errors import SnapshotError
from sandbox.snapshots.opening import open_kept
from sandbox.snapshots.pack import ObjectLocation, Packed, pack_names, read_table

T = TypeVar("T")
Row = tuple[bytes, str, int, int, int]
"""sha256, name of the pack, block, start, size."""
_PATIENCE = 60.0
"""Seconds to wait while another process writes."""
_PAUSE = 0.01
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
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""What SQLite ends a journal with that names another file, which it would delete."""
_INSERT = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?)"
_PLACES = "SELECT sha256, name, block, start, size FROM objects JOIN packs ON pack = number"


class ObjectIndex:
    """The index of the packs in a folder; not for several threads at a time."""

    def __init__(self, path: str, packs: str) -> None:
        self._path = path
        self._packs = packs
        self._db: sqlite3.Connection | None = None
        self._inode = 0

    def find(self, sha256: bytes) -> ObjectLocation | None:
        """Return where an object stands. Raises `SnapshotError`."""
        query = f"{_PLACES} WHERE sha256 = ?"
        rows = self._do(lambda db: _checked(db.execute(query, (sha256,)).fetchall()))
        return ObjectLocation(*rows[0][1:]) if rows else None

    def places(self, sha256s: Iterable[bytes]) -> dict[bytes, ObjectLocation]:
        """Return the locations of objects; those whose pack is missing are left out.

        Raises `SnapshotError`.
        """
        asked = sorted(sha256s)
        groups = [asked[at : at + _ASKED] for at in range(0, len(asked), _ASKED)]
        rows = [row for group in groups for row in self._do(partial(_ask, group))]
        lost = {name for _, name, *_ in rows if not os.path.exists(f"{self._packs}/{name}")}
        if not lost:
            return {row[0]: ObjectLocation(*row[1:]) for row in rows}
        for name in lost:
            self.forget(name)
        return self.places(asked)

    def add(self, pack: str, end: int, objects: Iterable[Packed]) -> None:
        """Add the objects (sha256, block, start, size) that a pack of `end` bytes holds now.

        Raises `SnapshotError`.
        """
        rows = sorted(objects)
        self._do(lambda db: _add(db, pack, end, rows))

    def forget(self, pack: str) -> None:
        """Remove a pack that was deleted; its objects may be in another one now.

        Raises `SnapshotError`.
        """
        self._do(lambda db: _forget(db, pack))
        self.catch_up()

    def counts(self) -> dict[str, int]:
        """Return how many objects each pack has, if it has any. Raises `SnapshotError`."""
        query = "SELECT name, count(*) FROM objects JOIN packs ON pack = number GROUP BY pack"
        return dict(self._do(lambda db: db.execute(query).fetchall()))

    def after(self, sha256: bytes, most: int) -> list[bytes]:
        """Return the objects that follow one in the order of their hashes.

        Raises `SnapshotError`.
        """
        query = "SELECT sha256 FROM objects WHERE sha256 > ? ORDER BY sha256 LIMIT ?"
        return [row[0] for row in self._do(lambda db: db.execute(query, (sha256, most)).fetchall())]

    def remove(self, sha256s: Iterable[bytes]) -> None:
        """Remove objects. Raises `SnapshotError`."""
        rows = [(sha256,) for sha256 in sha256s]
        self._do(lambda db: _remove(db, rows))

    def replace(self, old: str, new: str, end: int, objects: list[Packed]) -> None:
        """Replace a pack by another of `end` bytes, with all that is known of it.

        Raises `SnapshotError`.
        """
        self._do(lambda db: _replace(db, old, new, end, objects))

    def shrink(self) -> None:
        """Give the room of removed objects back to the disk. Raises `SnapshotError`."""
        self._do(lambda db: db.execute("VACUUM"))

    def is_in_place(self) -> bool:
        """Whether the file is still the one that is open: it may have been deleted."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def catch_up(self) -> None:
        """Read the objects of the packs that are not known. Raises `SnapshotError`."""
        self._do(self._read_packs)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`; when the file is damaged, on a new index."""
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
                "check its rights, or delete it (it is made again)."
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            if _names_another(f"{self._path}-journal"):
                self._delete()
            is_new = not os.path.exists(self._path)
            fd = open_kept(self._path, os.O_RDWR | os.O_CREAT)
            self._inode = os.fstat(fd).st_ino
            os.close(fd)
            self._db = _connect(self._path)
            if is_new:
                self._read_packs(self._db)
        return self._db

    def _delete(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(self._path + suffix)

    def _read_packs(self, db: sqlite3.Connection) -> None:
        known = dict(db.execute("SELECT name, end FROM packs").fetchall())
        for name in pack_names(self._packs):
            path, begin = f"{self._packs}/{name}", known.get(name, 0)
            with suppress(FileNotFoundError):  # cleaned away meanwhile
                if os.stat(path).st_size > begin:
                    objects, end = read_table(path, begin)
                    _add(db, name, end, sorted(objects))


def _connect(path: str) -> sqlite3.Connection:
    """Open the index. Raises `sqlite3.Error`."""
    patience = time.monotonic() + _PATIENCE
    while True:
        db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            _refuse_other_schemas(db)
            db.executescript(_TABLES)
            return db
        except sqlite3.OperationalError as error:
            db.close()
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            # Its first opener or its last closer has it alone: SQLite does not wait for these.
        except BaseException:
            db.close()
            raise
        time.sleep(_PAUSE)


def _ask(sha256s: list[bytes], db: sqlite3.Connection) -> list[Row]:
    asked = ",".join("?" * len(sha256s))
    return _checked(db.execute(f"{_PLACES} WHERE sha256 IN ({asked})", sha256s).fetchall())


def _checked(rows: list[Row]) -> list[Row]:
    """Return rows. Raises `sqlite3.DatabaseError` for one that leads out of the packs' folder."""
    for _, name, *numbers in rows:
        is_name = isinstance(name, str) and "/" not in name and "\0" not in name
        if not is_name or not all(isinstance(one, int) and one >= 0 for one in numbers):
            raise sqlite3.DatabaseError("a row that names no pack")
    return rows


def _names_another(journal: str) -> bool:
    """Tell whether a journal names another file: sii's never do, and SQLite would delete it."""
    try:
        with open(open_kept(journal), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(_JOURNAL_MAGIC)))
            return file.read() == _JOURNAL_MAGIC
    except FileNotFoundError:
        return False


def _refuse_other_schemas(db: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` for anything but our tables: views, triggers, checks, columns
    and indexes of expressions make work without an end.
    """
    if not _schema_of(db) <= _own_schema():
        raise sqlite3.DatabaseError("it holds what no index of sii has")


@lru_cache
def _own_schema() -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_TABLES)
        return _schema_of(db)


def _schema_of(db: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    return frozenset(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _add(db: sqlite3.Connection, pack: str, end: int, rows: list[Packed]) -> None:
    with _transaction(db):
        number = _number(db, pack, end)
        db.executemany(
            _INSERT,
            ((sha256, number, block, start, size) for sha256, block, start, size in rows),
        )


def _replace(db: sqlite3.Connection, old: str, new: str, end: int, rows: list[Packed]) -> None:
    with _transaction(db):
        if rows:
            number = _number(db, new, end)
            db.executemany(
                "UPDATE objects SET pack = ?, block = ?, start = ? WHERE sha256 = ?",
                ((number, block, start, sha256) for sha256, block, start, _ in rows),
            )
        db.execute("DELETE FROM packs WHERE name = ?", (old,))


def _forget(db: sqlite3.Connection, pack: str) -> None:
    with _transaction(db):
        db.execute(
            "DELETE FROM objects WHERE pack = (SELECT number FROM packs WHERE name = ?)", (pack,)
        )
        db.execute("DELETE FROM packs WHERE name = ?", (pack,))


def _remove(db: sqlite3.Connection, rows: list[tuple[bytes]]) -> None:
    with _transaction(db):
        db.executemany("DELETE FROM objects WHERE sha256 = ?", rows)


def _number(db: sqlite3.Connection, pack: str, end: int) -> int:
    """Return the number of a pack that is known to be of `end` bytes now."""
    db.execute(
        "INSERT INTO packs (name, end) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET end = max(end, excluded.end)",
        (pack, end),
    )
    (number,) = db.execute("SELECT number FROM packs WHERE name = ?", (pack,)).fetchone()
    return int(number)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
