"""The private folder of a proxy's socket, which a sandbox mounts; left-over ones are removed.

The folder that can be entered lies in one that only its owner can enter: whoever runs inside the
sandbox reaches the socket by its mount, at whatever uid, and nobody else on the machine does. A
folder belongs to whoever holds its lock; the kernel lets go of it when its owner dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

SOCKET = "proxy"
"""Name of the socket in the folder that is mounted."""
NETWORK = "sii-network-"
LIFELINE = "sii-lifeline-"
"""What the folders' names begin with."""
_SHARED = "shared"


class SocketFolder:
    """A folder for one socket; removed by `close`, or by `sweep` after its owner's death."""

    def __init__(self, prefix: str = NETWORK) -> None:
        """Raises `OSError`."""
        self._path, self._lock = _make(prefix)
        self.shared = self._path / _SHARED
        """What to mount, read-only."""
        self.shared.mkdir()
        self.shared.chmod(0o711)

    @property
    def socket(self) -> Path:
        """Where to listen."""
        return self.shared / SOCKET

    def close(self) -> None:
        """Remove the folder. May be called twice."""
        if self._lock >= 0:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _make(prefix: str) -> tuple[Path, int]:
    """Return a new folder (mode 0700) and the descriptor that holds its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix))
        with suppress(FileNotFoundError):  # swept by another before it was locked: the next one
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def sweep() -> int:
    """Remove the folders of ours whose owner is dead; return how many."""
    folder = Path(tempfile.gettempdir())
    left = (path for prefix in (NETWORK, LIFELINE) for path in folder.glob(f"{prefix}*"))
    return sum(map(_sweep_one, left))


def _sweep_one(path: Path) -> bool:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            return False
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except OSError:  # its owner lives
        return False
    finally:
        os.close(folder)
    return not path.exists()
