"""The locks of a store of snapshots, and the leases of sessions on trees in it.

Work that relies on what is there already (a scan, a restore) shares the lock of the store; what
deletes something has the lock alone, each time for a moment. Between two scans a session has a
lease on its last tree, which is then not deleted: the next scan reads only what changed since.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.snapshots.errors import SnapshotError, Stopped, failure
from sandbox.snapshots.opening import make_folder, open_kept

_LOCK = "lock"
_CLEANING = "cleaning"
_LEASES = "held"
"""Folder with a file for each lease; the session keeps the file locked."""
_PATIENCE = 60.0
"""Seconds to wait for the lock."""
_PAUSE = 0.005


@contextmanager
def at_work(store: Path, stop: threading.Event | None = None) -> Iterator[None]:
    """Keep everything in a store from being deleted. Raises `SnapshotError`, `Stopped`."""
    with _locked(store, fcntl.LOCK_SH, "another process cleans it", stop):
        yield


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Have a store with nobody at work in it. Raises `SnapshotError`."""
    with _locked(store, fcntl.LOCK_EX, "sessions are at work in it without a pause", None):
        yield


@contextmanager
def cleaning(store: Path) -> Iterator[None]:
    """Be the only one that cleans a store. Raises `SnapshotError`."""
    with _opened(store / _CLEANING) as fd:
        if not _try_lock(fd, fcntl.LOCK_EX):
            raise SnapshotError(
                f"The store of snapshots {store} is being cleaned by another process: let it end."
            )
        yield


@dataclass(frozen=True, slots=True)
class LeasedTrees:
    """The lease of a running session, as a cleaning reads it."""

    workspace: str
    trees: tuple[str, ...]


class TreeLease:
    """Protects trees that a session relies on and that no recording may name yet."""

    def __init__(self, store: Path, workspace: Path) -> None:
        self._folder = store / _LEASES
        self._workspace = os.fspath(workspace)
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        self._fd = -1

    def rely_on(self, trees: Iterable[str]) -> None:
        """Protect these trees instead of the earlier ones; to be called inside `at_work`.

        Raises `SnapshotError` when the lease cannot be written.
        """
        data = json.dumps({"workspace": self._workspace, "trees": sorted(trees)}).encode("ascii")
        try:
            if self._fd < 0:
                make_folder(self._folder)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, data, 0)
        except OSError as error:
            raise failure("The snapshot cannot be written to", self._folder, error) from error

    def is_lost(self) -> bool:
        """Tell whether the lease was deleted, and with it perhaps the trees that it protects."""
        return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0

    def close(self) -> None:
        """End the lease. May be called twice."""
        if self._fd >= 0:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._fd)
            self._fd = -1


def read_leases(store: Path) -> tuple[list[LeasedTrees], list[Path]]:
    """Return the leases of running sessions, and the files that ended ones left.

    To be called inside `alone`. Raises `SnapshotError` when a lease cannot be read.
    """
    leases, left = [], []
    try:
        for path in sorted((store / _LEASES).glob("*")):
            with suppress(FileNotFoundError):  # its session ended it meanwhile
                if is_locked(path):
                    said = json.loads(path.read_bytes())
                    leases.append(LeasedTrees(said["workspace"], tuple(said["trees"])))
                else:
                    left.append(path)
    except OSError as error:
        raise failure("The store of snapshots cannot be read:", store, error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise SnapshotError(f"What a session holds in {store} cannot be read: {error}.") from error
    return leases, left


def is_locked(path: str | Path) -> bool:
    """Whether a living process has a file's lock to itself. Raises `OSError`."""
    fd = open_kept(path)
    try:
        return not _try_lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


@contextmanager
def _locked(store: Path, how: int, why: str, stop: threading.Event | None) -> Iterator[None]:
    with _opened(store / _LOCK) as fd:
        patience = time.monotonic() + _PATIENCE
        while not _try_lock(fd, how):
            if stop is not None and stop.is_set():
                raise Stopped
            if time.monotonic() > patience:
                raise SnapshotError(f"The store of snapshots {store} is in use ({why}): try later.")
            time.sleep(_PAUSE)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        fd = open_kept(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise failure("The store of snapshots cannot be used:", path.parent, error) from error
    try:
        yield fd
    except OSError as error:
        if error.errno != errno.ENOLCK:
            raise
        raise failure("The store of snapshots cannot be locked:", path.parent, error) from error
    finally:
        os.close(fd)


def _try_lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
