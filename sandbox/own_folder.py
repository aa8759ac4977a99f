"""sii's own folders among the machine's temporary files, and the removal of leftover ones.

A folder belongs to the process that holds its lock. The kernel releases the lock when its owner
dies, and the next process that starts removes the folder.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "sii-run-"
"""What the folders' names begin with; nothing else of sii's does."""


class OwnFolder:
    """A folder that is removed by `close`, or as a leftover after its owner's death."""

    def __init__(self, what: str) -> None:
        """`what` is part of its name. Raises `OSError`."""
        self.path, self._lock = _make(f"{_PREFIX}{what}-")

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all in it. May be called twice."""
        if self._lock >= 0:
            _remove(self.path)
            os.close(self._lock)
            self._lock = -1


def _make(prefix: str) -> tuple[Path, int]:
    """Return a new folder (mode 0700) and the descriptor that holds its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix))
        with suppress(FileNotFoundError):  # removed by another before it was locked
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            _lock(path, lock)
            if path.exists():
                return path, lock
            os.close(lock)


def _lock(path: Path, folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
    except OSError as error:
        os.close(folder)
        path.rmdir()
        what = f"{error.strerror}: set TMPDIR to a place on a local disk"
        raise OSError(error.errno, what, str(path)) from error


def remove_leftover_folders() -> int:
    """Remove sii's folders whose owner is dead; return how many."""
    return sum(map(_remove_leftover, Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")))


def _remove_leftover(path: Path) -> bool:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            return False
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    except OSError:  # its owner lives
        return False
    finally:
        os.close(folder)
    return not path.exists()


def _remove(path: Path) -> None:
    """Remove a folder in which commands may have worked: they may have made anything in it."""
    from sandbox.snapshots.removal import remove_folder  # slow to import

    with suppress(OSError):
        remove_folder(path)
