"""Leases: who works on which item now, in one SQLite file of a home (`.review.sqlite`).

An item has a kind and an id, so that every queue of a home can use the same leases. The file is
derived: it may be deleted at any time, and then nobody holds anything.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple, Self

from recordings.storage.sqlite_files import (
    delete_database,
    delete_planted_journal,
    is_damage,
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
    """The leases of a home; a context manager. Any number of processes may use them."""

    def __init__(self, home: Path) -> None:
        """Open the file, made if need be. Raises `SiiError` when it cannot be used."""
        self._path = home / LEASES
        try:
            refuse_other_files(self._path)
            delete_planted_journal(self._path)
            self._db = self._open_or_make()
        except (sqlite3.Error, OSError) as error:
            raise SiiError(
                f"The leases in {self._path} cannot be used ({error}): see that the folder can be "
                "written, and delete the file."
            ) from error

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
        return self._db.execute(_TAKE, said).rowcount == 1

    def heartbeat(self, item: Item, holder: str) -> bool:
        """Renew a lease; return whether it was held.

        Verdicts do not matter: who has judged an item still holds it until it is released.
        """
        said = {**_times(), **item._asdict(), "holder": holder}
        return self._db.execute(_RENEW, said).rowcount == 1

    def release(self, item: Item, holder: str) -> None:
        """Give a lease back, if it is held."""
        where = "kind = ? AND id = ? AND holder = ?"
        self._db.execute(f"DELETE FROM leases WHERE {where}", (*item, holder))

    def held(self, kind: str) -> dict[str, tuple[str, ...]]:
        """Return who holds the items of a kind now, by id."""
        rows = self._db.execute(
            f"SELECT id, holder FROM leases WHERE kind = :kind AND {_IN_FORCE} ORDER BY holder",
            {**_times(), "kind": kind},
        )
        found: dict[str, tuple[str, ...]] = {}
        for name, holder in rows:
            found[name] = (*found.get(name, ()), holder)
        return found

    def skip(self, item: Item, holder: str) -> None:
        """Put an item at the end of the holder's queue, and give the lease back."""
        self._db.execute("BEGIN IMMEDIATE")
        self.release(item, holder)
        self._db.execute(
            "INSERT OR REPLACE INTO skips VALUES (?, ?, ?, ?)", (*item, holder, time.time())
        )
        self._db.execute("COMMIT")

    def skipped(self, kind: str, holder: str) -> dict[str, float]:
        """Return when the holder skipped items of a kind last, by id."""
        rows = self._db.execute(
            "SELECT id, time FROM skips WHERE kind = ? AND holder = ?", (kind, holder)
        )
        return dict(rows.fetchall())

    def _open_or_make(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            delete_database(self._path)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
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
