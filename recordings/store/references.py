"""What recordings refer to outside of themselves: snapshots, and the workspaces of their sessions.

Of a damaged recording it is not known what it refers to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recordings.errors import UNREADABLE, RecordingNotFound, why_damaged
from recordings.events import SessionResume, SessionStart, Snapshot
from recordings.storage.files import stored_status
from recordings.storage.lines import decode_event, parse_line
from recordings.storage.log import LOG, head_of, read_checked_lines
from recordings.store.store import RecordingStore

_READ = frozenset((SessionStart.type, SessionResume.type, Snapshot.type))

_State = tuple[int, int, int]
"""Inode, size and mtime of a log."""


class References:
    """The references of all recordings of a store; each call of `trees` reads what is new."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store
        self._read: dict[str, _State] = {}
        self.workspaces: dict[str, str] = {}
        """By session: its workspace, the last one if it changed."""
        self.unknown: dict[str, str] = {}
        """Recordings whose references are not known, with the reason."""

    def trees(self) -> Iterator[str]:
        """Yield the trees that recordings refer to, as far as not read before; some several times.

        A recording that is deleted in the meantime is skipped. `unknown` is complete at the end.
        """
        for session in (*self._store.ids(), *self._store.unnamed()):
            folder = self._store.root / session
            try:
                state = _state(folder)
                if state is None or self._read.get(session) == state:
                    continue
                self._read[session] = state
                self.unknown.pop(session, None)
                yield from self._trees_of(folder)
            except RecordingNotFound:  # deleted in the meantime
                continue
            except UNREADABLE as error:
                self.unknown[session] = why_damaged(error)

    def _trees_of(self, folder: Path) -> Iterator[str]:
        for line, _ in read_checked_lines(folder):
            if head_of(folder, line).type not in _READ:
                continue
            match decode_event(parse_line(line.text)).data:
                case Snapshot(tree=tree):
                    yield tree
                case SessionStart(workspace=workspace):
                    self.workspaces[folder.name] = workspace
                case SessionResume(settings={"workspace": str(workspace)}):
                    self.workspaces[folder.name] = workspace


def _state(folder: Path) -> _State | None:
    """Return what changes when a log is written, or `None` without a log. Raises `OSError`."""
    status = stored_status(folder / LOG)
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns)
