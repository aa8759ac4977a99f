"""Who uses a store: what cleans it waits for those at work in it, and spares what sessions hold.

Work that relies on what is there already (a scan, a restore) shares the lock of the store; who
takes something away has it alone, each time for a moment. Between two scans a session holds its
last tree: the next scan reads again only what changed since.
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
from sandbox.snapshots.opening import open_kept

_LOCK = "lock"
_CLEANING = "cleaning"
_HELD = "held"
"""Folder with a file for each session that holds a tree; its owner has its lock."""
_PATIENCE = 60.0
"""Seconds to wait for the lock."""
_PAUSE = 0.005


@contextmanager
def at_work(store: Path, stop: threading.Event | None = None) -> Iterator[None]:
    """Keep what is in a store from being taken away. Raises `SnapshotError`, `Stopped`."""
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
class Holding:
    """What a living session relies on."""

    workspace: str
    trees: tuple[str, ...]


class Hold:
    """A session's mark on the store: it relies on a tree that no recording may name yet."""

    def __init__(self, store: Path, workspace: Path) -> None:
        self._folder = store / _HELD
        self._workspace = os.fspath(workspace)
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        self._fd = -1

    def rely_on(self, trees: Iterable[str]) -> None:
        """Hold trees instead of the earlier ones; to be called at work. Raises `SnapshotError`."""
        data = json.dumps({"workspace": self._workspace, "trees": sorted(trees)}).encode("ascii")
        try:
            if self._fd < 0:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, data, 0)
        except OSError as error:
            raise failure("The snapshot cannot be written to", self._folder, error) from error

    def is_lost(self) -> bool:
        """Tell whether the mark was deleted, and with it perhaps the trees that it protects."""
        return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0

    def close(self) -> None:
        """Let go. May be called twice."""
        if self._fd >= 0:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._fd)
            self._fd = -1


def held(store: Path) -> tuple[list[Holding], list[Path]]:
    """Return what living sessions hold, and the files that dead ones left.

    To be called alone in the store. Raises `SnapshotError` when a living one's cannot be read.
    """
    holdings, left = [], []
    try:
        for path in sorted((store / _HELD).glob("*")):
            with suppress(FileNotFoundError):  # its session let go meanwhile
                if is_locked(path):
                    said = json.loads(path.read_bytes())
                    holdings.append(Holding(said["workspace"], tuple(said["trees"])))
                else:
                    left.append(path)
    except OSError as error:
        raise failure("The store of snapshots cannot be read:", store, error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise SnapshotError(f"What a session holds in {store} cannot be read: {error}.") from error
    return holdings, left


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
