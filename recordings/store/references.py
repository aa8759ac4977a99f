"""What recordings lay claim to outside of themselves: the snapshots they name, the directories
their sessions work in.

What a recording names can be told of a whole one alone: of one that is damaged it is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recordings.errors import UNREADABLE, RecordingNotFound, why_damaged
from recordings.events import SessionResume, SessionStart, Snapshot
from recordings.storage.files import stored_status
from recordings.storage.lines import decode_event, parse_line, read_head
from recordings.storage.log import LOG, read_checked_lines
from recordings.store.store import RecordingStore

_READ = frozenset((SessionStart.type, SessionResume.type, Snapshot.type))

_State = tuple[int, int, int]
"""Inode, size and mtime of a log."""


class References:
    """The claims of all recordings of a store; what grew or came since is read by the next look."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store
        self._read: dict[str, _State] = {}
        self.workspaces: dict[str, str] = {}
        """By session: where it works, or did at last."""
        self.unknown: dict[str, str] = {}
        """Of which recordings it is not known, and why."""

    def trees(self) -> Iterator[str]:
        """Yield the trees that are named in what was not read before, again and again the same.

        A recording that is deleted meanwhile is none. Read to the end before `unknown` counts.
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
            except RecordingNotFound:  # deleted meanwhile
                continue
            except UNREADABLE as error:
                self.unknown[session] = why_damaged(error)

    def _trees_of(self, folder: Path) -> Iterator[str]:
        for line, _ in read_checked_lines(folder):
            if read_head(line.text).type not in _READ:
                continue
            match decode_event(parse_line(line.text)).data:
                case Snapshot(tree=tree):
                    yield tree
                case SessionStart(workspace=workspace):
                    self.workspaces[folder.name] = workspace
                case SessionResume(settings={"workspace": str(workspace)}):
                    self.workspaces[folder.name] = workspace


def _state(folder: Path) -> _State | None:
    """Return what tells whether a log was written to; none when there is none. Raises `OSError`."""
    status = stored_status(folder / LOG)
    return None if status is None else (status.st_ino, status.st_size, status.st_mtime_ns)
