"""The store: all recordings of one root folder, one folder a session, found by id."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from recordings.storage.files import failure, stored_status, sync_folder
from recordings.storage.log import LOG
from recordings.store.resolve import resolve
from recordings.store.summary import RecordingSummary, summarise

_ID = re.compile(r"[\w@+=:,][\w@+=:,.-]*")
"""An id is shown in commands to copy: it is never an option, and one word to a shell."""


class RecordingStore:
    """The recordings of a root folder, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create_folder(self) -> tuple[str, Path]:
        """Create the folder of a new session; return its id and the folder.

        Ids sort by time: date, time (UTC), then six hex digits of which the first three are the
        fraction of the second. Raises `RecordingFailed`.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                session = _new_id(time.time())
                folder = self.root / session
                try:
                    folder.mkdir(mode=0o700)
                except FileExistsError:
                    continue
                sync_folder(self.root)
                return session, folder
        except OSError as error:
            raise failure(self.root, error) from error

    def ids(self) -> list[str]:
        """Return the ids of all recordings, the newest first."""
        return [name for name in self.names() if self.has(name)]

    def unnamed(self) -> list[str]:
        """Return the names of folders that have a log but whose name is not an id."""
        names = [name for name in self._entries() if not _may_be_id(name)]
        return [name for name in names if self.has(name)]

    def resolve(self, ref: str) -> Path:
        """Return the folder of a recording by its id, a unique beginning of it, or `last`.

        Raises `RecordingNotFound`.
        """
        return resolve(ref, [self])

    def has(self, name: str) -> bool:
        """Return whether one of `names` is a recording. An empty log was killed before its first
        event. A log that cannot be accessed counts: reading it reports why.
        """
        try:
            status = stored_status(self.root / name / LOG)
        except OSError:
            return True
        return status is not None and (status.st_size > 0 or not stat.S_ISREG(status.st_mode))

    def list(self) -> Iterator[RecordingSummary]:
        """Yield a summary of every recording, the newest first."""
        return (summarise(self.root / name) for name in self.ids())

    def names(self) -> Sequence[str]:
        """Return the names of the folders that may be ids, the newest first."""
        return sorted(filter(_may_be_id, self._entries()), reverse=True)

    def _entries(self) -> Sequence[str]:
        try:
            return [name for name in os.listdir(self.root) if not name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _may_be_id(name: str) -> bool:
    return name.isprintable() and _ID.fullmatch(name) is not None


def _new_id(now: float) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{int(now % 1 * 4096):03x}{secrets.randbelow(4096):03x}"
