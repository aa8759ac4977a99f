"""Which session a running sandbox belongs to, found from outside by its recording."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

from recordings.storage.log import LOG
from recordings.storage.opening import open_file
from sandbox.protocol import RunningSandbox


def session_of(sandbox: RunningSandbox) -> str | None:
    """Return the id of the session, or `None` before its first message or without access."""
    if sandbox.owner is None or not sandbox.owner_lives:
        return None
    for log in _open_logs(sandbox.owner):
        if _has_start(log, sandbox.sandbox_id.encode()):
            return log.parent.name
    return None


def _open_logs(pid: int) -> set[Path]:
    """Return the recordings' logs that a process holds open."""
    logs: set[Path] = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                path = Path(os.readlink(descriptor))
                if path.name == LOG:
                    logs.add(path)
    return logs


def _has_start(log: Path, sandbox_id: bytes) -> bool:
    """Return whether the log has the start of this sandbox."""
    with (
        suppress(OSError, ValueError),
        open(open_file(log.parent.parent, log.parent.name, log.name), "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(b'"sandbox_id":"' + sandbox_id + b'"') >= 0
    return False
