"""Leases: who works on which item now, in one SQLite file of a home (`.review.sqlite`).

An item has a kind and an id, so that every queue of a home can use the same leases. The file is
derived: it may be deleted at any time, and then nobody holds anything.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from recordings.storage.sqlite_files import (
    delete_database,
    delete_planted_journal,
    is_damage,
    is_full,
    is_held,
    refuse_other_files,
)
from sii_cli.errors import SiiError

LEASES = ".review.sqlite"
LEASE = 600.0
"""Seconds that a lease holds without a heartbeat."""
_PATIENCE = 10.0
"""Seconds to wait while another process writes."""
_TABLES = (
    "CREATE TABLE leases (kind TEXT, id TEXT, holder TEXT, expires REAL, "
    "PRIMARY KEY (kind, id, holder)) WITHOUT ROWID",
    "CREATE TABLE skips (kind TEXT, id TEXT, holder TEXT, time REAL, "
    "PRIMARY KEY (kind, id, holder)) WITHOUT ROWID",
)
# A lease that ends long after a new one would is not from this clock: it does not count. One that
# was given while this process waited ends a little later.
_IN_FORCE = "expires > :now AND expires < :beyond"
_IS_TEXT = "typeof(id) = 'text' AND typeof(holder) = 'text'"
"""Of what was not written here, a column may hold any kind of value."""
_TAKE = f"""
INSERT INTO leases SELECT :kind, :id, :holder, :until WHERE :places > (
    SELECT count(*) FROM leases
    WHERE kind = :kind AND id = :id AND holder != :holder AND {_IN_FORCE}
) ON CONFLICT DO UPDATE SET expires = excluded.expires
"""
_RENEW = f"""
UPDATE leases SET expires = :until
WHERE kind = :kind AND id = :id AND holder = :holder AND {_IN_FORCE}
"""


class Item(NamedTuple):
    """What a lease is on."""

    kind: str
    id: str


class Leases:
    """The leases of a home; a context manager. Any number of processes may use them.

    Every method but `close` raises `SiiError` when the file cannot be used.
    """

    def __init__(self, home: Path) -> None:
        """Open the file, made if need be."""
        self._path = home / LEASES
        with self._explained():
            refuse_other_files(self._path)
            delete_planted_journal(self._path)
            self._db = self._open_or_make()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what is held stays held."""
        self._db.close()

    def take(self, item: Item, holder: str, places: int = 1) -> bool:
        """Take a lease on an item, or renew the holder's own; return whether it is held now.

        At most `places` people hold an item at a time. One statement decides, so that no two
        processes are given the same place.
        """
        said = {**_times(), **item._asdict(), "holder": holder, "places": places}
        with self._explained():
            return self._db.execute(_TAKE, said).rowcount == 1

    def heartbeat(self, item: Item, holder: str) -> bool:
        """Renew a lease; return whether it was held.

        Verdicts do not matter: who has judged an item still holds it until it is released.
        """
        said = {**_times(), **item._asdict(), "holder": holder}
        with self._explained():
            return self._db.execute(_RENEW, said).rowcount == 1

    def release(self, item: Item, holder: str) -> None:
        """Give a lease back, if it is held."""
        with self._explained():
            self._release(item, holder)

    def held(self, kind: str) -> dict[str, tuple[str, ...]]:
        """Return who holds the items of a kind now, by id."""
        where = f"kind = :kind AND {_IN_FORCE} AND {_IS_TEXT}"
        query = f"SELECT id, holder FROM leases WHERE {where} ORDER BY holder"
        found: dict[str, tuple[str, ...]] = {}
        with self._explained():
            for name, holder in self._db.execute(query, {**_times(), "kind": kind}):
                found[name] = (*found.get(name, ()), holder)
        return found

    def skip(self, item: Item, holder: str) -> None:
        """Put an item at the end of the holder's queue, and give the lease back."""
        said = (*item, holder, time.time())
        with self._explained(), self._db:  # which commits, or rolls back
            self._db.execute("BEGIN IMMEDIATE")
            self._release(item, holder)
            self._db.execute("INSERT OR REPLACE INTO skips VALUES (?, ?, ?, ?)", said)

    def skipped(self, kind: str, holder: str) -> dict[str, float]:
        """Return when the holder skipped items of a kind last, by id."""
        where = f"kind = ? AND holder = ? AND {_IS_TEXT} AND typeof(time) = 'real'"
        query = f"SELECT id, time FROM skips WHERE {where}"
        with self._explained():
            return dict(self._db.execute(query, (kind, holder)).fetchall())

    def _release(self, item: Item, holder: str) -> None:
        where = "kind = ? AND id = ? AND holder = ?"
        self._db.execute(f"DELETE FROM leases WHERE {where}", (*item, holder))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise what SQLite or the disk reports as `SiiError`, with the remedy."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            remedy = "see that the folder can be written, and delete the file"
            if is_full(error):
                remedy = f"free some space in {self._path.parent}"
            elif is_held(error):
                remedy = "another process holds the file: wait for it, or end it"
            raise SiiError(
                f"The leases cannot be used ({error}): {remedy}. They are in {self._path}."
            ) from error

    def _open_or_make(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            delete_database(self._path)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,  # a screen renews its lease in a thread
        )
        try:
            self._path.chmod(0o600)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for table in _TABLES:
                    db.execute(table)
            db.execute("COMMIT")
            # A foreign file could hold a view or a trigger that computes without an end.
            schema = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master ORDER BY name")]
            if schema != list(_TABLES):
                raise sqlite3.DatabaseError("it has other tables")
        except BaseException:
            db.close()
            raise
        return db


def _times() -> dict[str, float]:
    now = time.time()
    return {"now": now, "until": now + LEASE, "beyond": now + 2 * LEASE}
