"""The index: what lists and searches need of all recordings of a home, in one SQLite file.

It is derived from the recordings: it may be deleted at any time and is built again. Several
processes may use and refresh it at the same time.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from recordings.errors import UNREADABLE, RecordingTooNew, why_damaged
from recordings.index.schema import MADE_BY, PARTS, TABLES, VERSION
from recordings.index.texts import indexed_texts
from recordings.reviews.keys import ReviewKeys
from recordings.storage.files import PACKED, REVIEWS
from recordings.storage.log import LOG
from recordings.storage.sqlite_files import (
    delete_database,
    delete_planted_journal,
    is_damage,
    refuse_other_files,
)
from recordings.store.collection import BATCHES, RECORDINGS, home_of
from recordings.store.store import RecordingStore

INDEX = ".index.sqlite"
_CHANGES = ("-wal", "-journal")
"""Suffixes of the files that hold what is to be written into it."""
_PATIENCE = 30.0
"""Seconds to wait while another process refreshes."""
_BATCH = 64
"""Recordings in one transaction: other processes wait no longer than these take."""


class Stamp(NamedTuple):
    """What changes when a recording's files are written after they were indexed."""

    inode: int
    size: int
    mtime: int
    reviews_mtime: int


class Key(NamedTuple):
    """Which recording of the home; an id may be in several of its folders."""

    id: str
    folder: str = ""
    """Name of the batch's folder; empty for a recording of the home itself."""


_UNSEEN = Stamp(0, 0, 0, 0)
"""The stamp of a recording that cannot be accessed: reading it reports why."""


class RecordingIndex:
    """The index of a home's store and of those of its batches; a context manager.

    A foreign one, from an archive for example, is not read but built again. Raises
    `UnexpectedFile` where its path is not a regular file, and `sqlite3.Error` only where the file
    can be neither read nor built again.
    """

    def __init__(
        self,
        store: RecordingStore,
        path: Path | None = None,
        *,
        batches: Mapping[str, RecordingStore] | None = None,
        keys: ReviewKeys | None = None,
        copied_from: int = 0,
    ) -> None:
        """`batches`: the stores of the home's batches, by name; the file is beside the home's own.
        `keys`: of the home whose reviews count and which wrote the file; without keys all count.

        `copied_from` is the inode of the file of which `path` is a copy.
        """
        self.store = store
        self._stores = {"": store, **(batches or {})}
        self.keys = keys
        self._inode = copied_from
        self.path = path or store.root / INDEX
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_other_files(self.path)
        self._in_use = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if path is None:  # else it is a copy, in a folder that is locked already
                _share(self._in_use, self.path)
            self.db = self._open_or_make()
        except BaseException:
            os.close(self._in_use)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self.db.close()
        in_use, self._in_use = self._in_use, -1
        if in_use >= 0:
            os.close(in_use)

    def refresh(self) -> int:
        """Index what is new in the store; return how many recordings had changed.

        Costs two `stat` a recording, and reads only what was appended.
        """
        self._judge_by_keys()
        known = self._known()
        changed: list[Key] = []
        for batch, store in self._stores.items():
            before = known.get(batch, {})
            for name, stamp in _stamps(store):
                if before.pop(name, None) != stamp:
                    changed.append(Key(name, batch))
        changed.sort()
        gone = [Key(name, batch) for batch, names in known.items() for name in names]
        for start in range(0, len(changed), _BATCH):
            with self.writing():
                for key in changed[start : start + _BATCH]:
                    self._index_one(key)
        if gone:
            with self.writing():
                for key in gone:
                    self.forget(key)
        return len(changed) + len(gone)

    def _judge_by_keys(self) -> None:
        """Forget reviewed recordings when the keys have changed: other reviews may count."""
        name = self.keys.name if self.keys is not None else ""
        if self.db.execute("SELECT key FROM judged_by").fetchone() == (name,):
            return
        with self.writing():
            reviewed = self.db.execute("SELECT id, folder FROM recordings WHERE reviews_mtime != 0")
            for key in reviewed.fetchall():
                self.forget(Key(*key))
            self.db.execute("UPDATE judged_by SET key = ?", (name,))

    def folder_of(self, key: Key) -> Path | None:
        """Return a recording's folder, or `None` when its batch cannot be read now."""
        store = self._stores.get(key.folder)
        return None if store is None else store.root / key.id

    def forget(self, key: Key) -> None:
        """Remove a recording's rows; its words stay in the full-text table, unreachable."""
        row = self.db.execute(
            "SELECT number FROM recordings WHERE id = ? AND folder = ?", key
        ).fetchone()
        if row is None:
            return
        for table in (*PARTS, "recordings"):
            self.db.execute(f"DELETE FROM {table} WHERE number = ?", row)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, with a lock against other processes."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def _open_or_make(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            delete_database(self.path)
            self._inode = 0
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            os.chmod(self.path, 0o600)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._inode = 0
                for statement in TABLES.split(";\n"):
                    db.execute(statement)
                db.execute("INSERT INTO made_by VALUES (?)", (self._proof(),))
                db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
            if version not in (0, VERSION):
                raise sqlite3.DatabaseError(f"index of version {version}")
            if not self._is_ours(db):
                raise sqlite3.DatabaseError("written elsewhere, or with another key")
            db.execute("SELECT count(*) FROM recordings").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        """Return whether this home wrote the file: only its key makes the proof for the inode.

        The schema is checked first: a view or a column could compute without an end.
        """
        schema = set(db.execute("SELECT type, sql FROM sqlite_master"))
        kinds = {kind for kind, _ in schema}
        if {"view", "trigger"} & kinds or ("table", MADE_BY) not in schema:
            return False
        if self.keys is None:
            return True
        return bool(db.execute("SELECT proof FROM made_by").fetchone() == (self._proof(),))

    def _proof(self) -> str:
        """Return the home's proof for this file; a copy of the file needs another."""
        if self.keys is None:
            return ""
        inode = self._inode or os.stat(self.path, follow_symlinks=False).st_ino
        return self.keys.home.prove("index", str(inode))

    def _known(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Return the stamps of all recordings: by the batch's folder, by id."""
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        rows = self.db.execute(
            "SELECT folder, id, inode, size, mtime, reviews_mtime FROM recordings"
        )
        for folder, name, *stamp in rows:
            found.setdefault(folder, {})[name] = tuple(stamp)
        return found

    def _index_one(self, key: Key) -> None:
        row = self.db.execute(
            "SELECT status, inode, size, mtime, reviews_mtime FROM recordings "
            "WHERE id = ? AND folder = ?",
            key,
        ).fetchone()
        folder = self._stores[key.folder].root / key.id
        stamp = _stamp(f"{folder}/")
        if stamp is None:
            return
        if row is not None:
            status, known = row[0], Stamp(*row[1:])
            if known == stamp:
                return  # another process was faster
            if (
                status in ("damaged", "newer")
                or known.inode != stamp.inode
                or known.size > stamp.size
            ):
                self.forget(key)  # repaired, replaced (packed, redacted) or cut
        from recordings.index.update import index_recording  # slow to import, seldom needed

        try:
            index_recording(self.db, folder, self.keys, batch=key.folder)
        except (*UNREADABLE, sqlite3.ProgrammingError) as error:
            self.forget(key)
            status = "newer" if isinstance(error, RecordingTooNew) else "damaged"
            self.db.execute(
                "INSERT INTO recordings (id, folder, status, why) VALUES (?, ?, ?, ?)",
                (*key, status, _storable(why_damaged(error))),
            )
        self.db.execute(
            "UPDATE recordings SET inode = ?, size = ?, mtime = ?, reviews_mtime = ? "
            "WHERE id = ? AND folder = ?",
            (*stamp, *key),
        )


def remove_from_index(folder: Path, keys: ReviewKeys | None = None) -> None:
    """Remove a recording and its words from its home's index, from every page of the file.

    Of a batch there may be two: its home's, and one beside its recordings from when it was read as
    a home. Call it while the log is still as it was indexed. An index from which they cannot be
    removed, or that was not written with these keys, is deleted.
    """
    _remove_from(RecordingStore(folder.parent), Key(folder.name), folder, keys)
    batch = home_of(folder)
    if batch.parent.name == BATCHES:
        store = RecordingStore(home_of(batch) / RECORDINGS)
        _remove_from(store, Key(folder.name, batch.name), folder, keys)


def _remove_from(store: RecordingStore, key: Key, folder: Path, keys: ReviewKeys | None) -> None:
    path = store.root / INDEX
    if not os.path.lexists(path):
        return
    try:
        with RecordingIndex(store, keys=keys) as index:
            _purge(index, key, folder)
    except (*UNREADABLE, sqlite3.Error):
        delete_database(path)


def _purge(index: RecordingIndex, key: Key, folder: Path) -> None:
    index.db.execute("PRAGMA secure_delete = ON")
    with index.writing():
        index.db.executemany(
            "INSERT INTO texts (texts, rowid, text) VALUES ('delete', ?, ?)",
            indexed_texts(index.db, folder, key.folder),
        )
        index.forget(key)
    # Words are gone only when their segments are merged and the write-ahead log is emptied.
    index.db.execute("INSERT INTO texts (texts) VALUES ('optimize')")
    index.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _share(folder: int, path: Path) -> None:
    """Say that an index of a folder is in use, until the folder is closed.

    Where none was, changes beside it that SQLite would write into it are deleted with it, if there
    is room to make it again. A killed process leaves them, but so does an archive of somebody's.
    """
    delete_planted_journal(path)
    with suppress(OSError):  # others use it, or the file system has no locks on folders
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if any(os.path.lexists(f"{path}{end}") for end in _CHANGES) and _has_room(path):
            delete_database(path)
    with suppress(OSError):
        fcntl.flock(folder, fcntl.LOCK_SH)


def _has_room(path: Path) -> bool:
    if not os.path.lexists(path):
        return True
    space = os.statvfs(path.parent)
    return space.f_bavail * space.f_frsize > os.stat(path, follow_symlinks=False).st_size


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _stamps(store: RecordingStore) -> Iterator[tuple[str, Stamp]]:
    root = str(store.root)
    for name in store.names():
        stamp = _stamp(f"{root}/{name}/")
        if stamp is not None:
            yield name, stamp


def _stamp(folder: str) -> Stamp | None:
    try:
        found = _stat(folder + LOG) or _stat(folder + LOG + PACKED)
        if found is None or (not found.st_size and stat.S_ISREG(found.st_mode)):
            return None  # empty: killed before the first event
        reviews = _stat(folder + REVIEWS)
    except OSError:
        return _UNSEEN
    mtime = reviews.st_mtime_ns if reviews else 0
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns, mtime)


def _stat(path: str) -> os.stat_result | None:
    try:  # not `suppress`: this runs twice for every recording
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
