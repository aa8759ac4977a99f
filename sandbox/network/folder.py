"""The private folder of a socket that a sandbox mounts.

The folder is inside one that only its owner can enter: processes in the sandbox reach the socket
by its mount, at any uid, and no other user of the machine does.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.own_folder import OwnFolder

PROXY_FOLDER = "/run/sii-network"
"""Where a sandbox has the folder of its proxy's socket, read-only, when it may reach some hosts."""
SOCKET = "proxy"
"""Name of the socket in the folder that is mounted."""
_SHARED = "shared"


class SocketFolder:
    """A folder for one socket; removed by `close`, or as a leftover after its owner's death."""

    def __init__(self, what: str = "network") -> None:
        """`what` is part of its name. Raises `OSError`."""
        self._folder = OwnFolder(what)
        self.shared = self._folder.path / _SHARED
        """What to mount, read-only."""
        self.shared.mkdir()
        self.shared.chmod(0o711)

    @property
    def socket(self) -> Path:
        """Where to listen."""
        return self.shared / SOCKET

    def close(self) -> None:
        """Remove the folder. May be called twice."""
        self._folder.close()
