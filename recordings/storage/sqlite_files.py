"""The files of an SQLite database that is derived from others and may be deleted at any time."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from recordings.storage.opening import OpenFolder, UnexpectedFile, kind_of

_ENDS = ("", "-wal", "-shm", "-journal")
"""Suffixes of the names of a database's files."""
_SOUND = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""How a journal ends that names another file, which SQLite would delete."""


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means a damaged file: not when it is locked, nor when the disk is
    full.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        return code in _UNREADABLE
    return code & 0xFF not in _SOUND


def is_held(error: Exception) -> bool:
    """Return whether an error means that another process uses the database."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)


def is_full(error: Exception) -> bool:
    """Return whether a disk is full; in shared memory SQLite reports that as an I/O error."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def delete_database(path: Path) -> None:
    """Delete a database's files; it is built again later. Files of other users stay."""
    with suppress(FileNotFoundError), OpenFolder(path.parent) as folder:
        for end in _ENDS:
            with suppress(UnexpectedFile):
                folder.remove(path.name + end)


def refuse_other_files(path: Path) -> None:
    """Raise `UnexpectedFile` unless a database's files are regular files."""
    with OpenFolder(path.parent) as folder:
        for end in _ENDS:
            status = folder.status(path.name + end)
            if status is not None and not stat.S_ISREG(status.st_mode):
                what = f"it is {kind_of(status)}, where a file should be"
                raise UnexpectedFile(folder.path / (path.name + end), what)


def delete_planted_journal(path: Path) -> None:
    """Delete a database whose journal names another file, because SQLite would delete that file.

    sii never writes one: it needs a transaction over several databases.
    """
    with suppress(FileNotFoundError), OpenFolder(path.parent) as folder:
        with folder.reader(f"{path.name}-journal") as journal:
            size = journal.seek(0, os.SEEK_END)
            journal.seek(max(0, size - len(_JOURNAL_MAGIC)))
            names_another = journal.read() == _JOURNAL_MAGIC
        if names_another:
            delete_database(path)
