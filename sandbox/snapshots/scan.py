"""A workspace → its tree in the store. What did not change since the last scan is only looked at.

Memory: about half a kilobyte an entry, for what is remembered of it.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

from sandbox.snapshots.entries import (
    MAX_DEPTH,
    MAX_PATH,
    TreeEntry,
    encode_entry,
    encode_tree,
    kept_mode,
)
from sandbox.snapshots.errors import SnapshotError, Stopped, failure
from sandbox.snapshots.exclude import Exclude
from sandbox.snapshots.objects import Objects, StoreFull
from sandbox.snapshots.opening import (
    GONE,
    IN_USE,
    UNREADABLE,
    HeldWorkspace,
    open_directory,
    open_file,
    read_link,
)
from sandbox.snapshots.reading import Busy, keep_file

_ATTEMPTS = 3
"""Attempts to read a name whose entry is replaced at every attempt."""
_TICK = 20_000_000
"""Nanoseconds: twice the coarsest clock that Linux stamps files with (a jiffy at 100 Hz)."""
_COARSE_TICK = 2_000_000_000
"""Nanoseconds: the same for a file system that stores whole seconds."""
_TYPE = 0o170000
_MAX_LINES = 128 << 20
"""Bytes of all entries' lines, which are remembered: a link's target can take 24 kilobytes."""
_MOST_NOT_KEPT = 10_000
"""Entries without content that are reported."""

_Key = tuple[int, int, int, int, int]
_key: Callable[[os.stat_result], _Key] = attrgetter(
    "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino"
)
"""The fields of a status, of which one differs when the file has changed."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """Something in the workspace whose content a snapshot does not hold."""

    path: str
    why: str
    """`too large`, `unreadable`, `in use`, `store full`, `too deep`, `another file system`, or
    what a special file is (`fifo`, `socket`, `device`)."""


@dataclass(slots=True)
class _SeenEntry:
    """An entry as it was last seen; without a key it is looked at again."""

    key: _Key | None
    line: bytes
    not_kept: str | None = None


@dataclass(slots=True)
class _Directory:
    """A directory as it was last seen."""

    sha256: str = ""
    seen: dict[str, _SeenEntry] = field(default_factory=dict)
    inside: dict[str, _Directory] = field(default_factory=dict)


_NEVER_SEEN = _Directory()


class Scanner:
    """Scans one workspace many times; one scan at a time."""

    def __init__(
        self,
        workspace: HeldWorkspace,
        objects: Objects,
        exclude: Exclude,
        max_file: int,
        max_entries: int,
    ) -> None:
        self._workspace = workspace
        self._objects = objects
        self._exclude = exclude
        self._max_file = max_file
        self._max_entries = max_entries
        self._top = _NEVER_SEEN
        self._stop = threading.Event()
        self._store: tuple[int, int] | None = None
        self._settled_before = 0
        self._device = 0
        self._entries = 0
        self._bytes = 0
        """Of the lines that were seen."""
        self._not_kept: list[NotKept] = []

    @property
    def tree(self) -> str:
        """The tree with which the next scan compares; empty without one."""
        return self._top.sha256

    def forget(self) -> None:
        """Let the next scan read everything."""
        self._top = _NEVER_SEEN

    def scan(self, stop: threading.Event) -> tuple[str, tuple[NotKept, ...]]:
        """Return the workspace's tree, now in the store, and the entries without content.

        Raises `SnapshotError`; `Stopped` once `stop` is set.
        """
        self._stop = stop
        self._settled_before = time.time_ns() - _TICK
        self._entries = self._bytes = 0
        self._not_kept = []
        self._store = self._objects.prepare()
        try:
            fd = self._workspace.open()
            try:
                self._device = os.fstat(fd).st_dev
                top = self._directory(fd, self._top, "", 0)
            finally:
                os.close(fd)
        except OSError as error:
            raise failure("No snapshot can be made of", self._workspace.path, error) from error
        self._objects.commit()
        self._top = top
        return top.sha256, tuple(self._not_kept)

    def _directory(self, fd: int, known: _Directory, path: str, depth: int) -> _Directory:
        """Scan an open directory; `path` is empty or ends in a slash."""
        if self._stop.is_set():
            raise Stopped
        now = _Directory()
        directories = self._files(fd, known, now, path)
        for name, status in directories:
            self._add(now, name, path, self._enter(fd, name, status, known, now, path, depth))
        now.sha256 = known.sha256 if _same(known, now) else self._keep_tree(now)
        return now

    def _files(
        self, fd: int, known: _Directory, now: _Directory, path: str
    ) -> list[tuple[str, os.stat_result]]:
        """Put the entries of an open directory into `now`; return the directories in it.

        Nearly all of the time goes to files that did not change: for them, no call but `stat`.
        """
        directories = []
        counted, size = self._entries, 0
        excluded = self._exclude.matches if self._exclude else None
        before, here = known.seen, now.seen
        with os.scandir(fd) as found:
            for item in found:
                name = item.name
                if excluded is not None and excluded(path, name):
                    continue
                try:
                    status = item.stat(follow_symlinks=False)
                except OSError as error:
                    self._add(now, name, path, self._unseen(name, error))
                    continue
                seen = before.get(name)
                if seen is None or seen.key != _key(status):
                    if status.st_mode & _TYPE == stat.S_IFDIR:
                        directories.append((name, status))
                    else:
                        self._add(now, name, path, self._look(fd, name, status))
                elif seen.not_kept is None:
                    here[name] = seen
                    size += len(seen.line)
                else:
                    self._add(now, name, path, seen)
        self._count(len(here) - (self._entries - counted), size)
        return directories

    def _add(self, now: _Directory, name: str, path: str, seen: _SeenEntry | None) -> None:
        if seen is None:
            return
        now.seen[name] = seen
        if seen.not_kept and len(self._not_kept) < _MOST_NOT_KEPT:
            self._not_kept.append(NotKept(path + name, seen.not_kept))
        self._count(1, len(seen.line))

    def _count(self, entries: int, size: int) -> None:
        """Count entries and the bytes of their lines. Raises `SnapshotError` for too many."""
        self._entries += entries
        self._bytes += size
        if self._entries > self._max_entries:
            raise SnapshotError(
                f"No snapshot can be made of {self._workspace.path}: it has more than "
                f"{self._max_entries:,} entries. Exclude some directories or raise the limit."
            )
        if self._bytes > _MAX_LINES:
            raise SnapshotError(
                f"No snapshot can be made of {self._workspace.path}: its names and the targets of "
                f"its links are longer than {_MAX_LINES >> 20} MiB. Exclude some directories."
            )

    def _keep_tree(self, now: _Directory) -> str:
        lines = {name: seen.line for name, seen in now.seen.items()}
        return self._objects.put(encode_tree(lines), always=True)

    def _enter(
        self,
        fd: int,
        name: str,
        status: os.stat_result,
        known: _Directory,
        now: _Directory,
        path: str,
        depth: int,
    ) -> _SeenEntry | None:
        """Scan a directory inside an open one; put it into `now`."""
        mode = kept_mode(status.st_mode)
        if status.st_dev != self._device:
            return _left_out(TreeEntry(name, "directory", mode), "another file system")
        if depth >= MAX_DEPTH or len(path) + len(name) > MAX_PATH:
            return _left_out(TreeEntry(name, "directory", mode), "too deep")
        if (status.st_dev, status.st_ino) == self._store:
            return None
        try:
            child = open_directory(name, fd)
        except OSError as error:
            if error.errno in UNREADABLE:
                return _left_out(TreeEntry(name, "directory", mode), "unreadable")
            if error.errno in GONE:
                return self._look(fd, name, None)
            raise
        try:
            before = known.inside.get(name, _NEVER_SEEN)
            inside = self._directory(child, before, f"{path}{name}/", depth + 1)
        except OSError as error:
            if error.errno in GONE:  # it was removed while it was read
                return None
            raise
        finally:
            os.close(child)
        now.inside[name] = inside
        seen = known.seen.get(name)
        key = (status.st_mode, 0, 0, 0, 0)
        if seen is not None and seen.key == key and inside.sha256 == before.sha256:
            return seen
        return _SeenEntry(
            key, encode_entry(TreeEntry(name, "directory", mode, sha256=inside.sha256))
        )

    def _look(self, fd: int, name: str, status: os.stat_result | None) -> _SeenEntry | None:
        """Read an entry that is not a directory; return None when it is gone."""
        if self._stop.is_set():
            raise Stopped
        for _ in range(_ATTEMPTS):
            try:
                status = status or os.stat(name, dir_fd=fd, follow_symlinks=False)
                return self._look_once(fd, name, status)
            except OSError as error:
                if error.errno not in GONE:
                    raise
            status = None
        return None

    def _look_once(self, fd: int, name: str, status: os.stat_result) -> _SeenEntry:
        kind = status.st_mode & _TYPE
        if kind == stat.S_IFREG:
            return self._file(fd, name, status)
        if kind == stat.S_IFLNK:
            entry = TreeEntry(name, "symlink", target=read_link(name, fd))
            return _SeenEntry(self._settled_key(status), encode_entry(entry))
        if kind == stat.S_IFDIR:  # it was none a moment ago: what is in it is seen next time
            return _left_out(TreeEntry(name, "directory", kept_mode(status.st_mode)), "in use")
        what = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}.get(kind, "device")
        entry = TreeEntry(name, "special", kept_mode(status.st_mode), target=what)
        return _left_out(entry, what)

    def _file(self, fd: int, name: str, status: os.stat_result) -> _SeenEntry:
        if status.st_size > self._max_file:
            return self._unkept_file(name, status, "too large")
        try:
            file = open_file(name, fd)
        except OSError as error:
            if error.errno in IN_USE:
                return self._unkept_file(name, status, "in use", settled=False)
            if error.errno in UNREADABLE:
                return self._unkept_file(name, status, "unreadable")
            raise
        try:
            content, status, whole = keep_file(file, self._objects, self._max_file, self._stop)
        except StoreFull:
            return self._unkept_file(name, status, "store full")
        except Busy as busy:
            return self._unkept_file(name, status, busy.why, settled=False)
        except OSError as error:
            if error.errno in UNREADABLE:
                return self._unkept_file(name, status, "unreadable", settled=False)
            raise
        finally:
            os.close(file)
        entry = TreeEntry(
            name,
            "file",
            kept_mode(status.st_mode),
            content.size,
            content.sha256,
            content.binary,
        )
        return _SeenEntry(self._settled_key(status) if whole else None, encode_entry(entry))

    def _unkept_file(
        self, name: str, status: os.stat_result, why: str, *, settled: bool = True
    ) -> _SeenEntry:
        mode, size, stamp = kept_mode(status.st_mode), status.st_size, status.st_mtime_ns
        entry = TreeEntry(name, "file", mode, size, not_kept=why, stamp=stamp)
        key = self._settled_key(status) if settled else None
        return _SeenEntry(key, encode_entry(entry), why)

    def _unseen(self, name: str, error: OSError) -> _SeenEntry | None:
        """Return the entry of a name whose status cannot be read: in a directory without `x`."""
        if error.errno in GONE:
            return None
        if error.errno in UNREADABLE:
            return _left_out(TreeEntry(name, "special", target="unknown"), "unreadable")
        raise error

    def _settled_key(self, status: os.stat_result) -> _Key | None:
        """Return the key, none while a later change could leave it as it is (cf. git's index)."""
        before = self._settled_before
        if status.st_ctime_ns % 1_000_000_000 == 0:
            before -= _COARSE_TICK
        return _key(status) if status.st_ctime_ns < before else None


def _same(known: _Directory, now: _Directory) -> bool:
    """Whether two looks at a directory make the same tree."""
    if not known.sha256 or len(known.seen) != len(now.seen):
        return False
    for name, seen in now.seen.items():
        before = known.seen.get(name)
        if before is not seen and (before is None or before.line != seen.line):
            return False
    return True


def _left_out(entry: TreeEntry, why: str) -> _SeenEntry:
    """Note an entry without its content; it is looked at again every time."""
    line = encode_entry(
        TreeEntry(entry.name, entry.type, entry.mode, target=entry.target, not_kept=why)
    )
    return _SeenEntry(None, line, why)
