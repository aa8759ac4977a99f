"""Keeps a second `sii batch` away from a batch's folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from recordings.storage.files import failure
from recordings.storage.opening import open_file
from sii_cli.batch.plan.pinned import refuse_links
from sii_cli.errors import UsageError

LOCK = "lock"


def is_running(folder: Path) -> bool:
    """Return whether a process works on a batch, as far as its lock can be read."""
    try:
        fd = open_file(folder, LOCK)
    except OSError:
        return False
    with open(fd, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a batch's folder, which is made if need be.

    Raises `UsageError` when the folder cannot be written or the batch is running, and
    `RecordingFailed` where files cannot be locked.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_links(folder)
        fd = open_file(folder, LOCK, flags=os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UsageError(
            f"The batch cannot be written to {folder} ({error.strerror}): name another folder "
            "with --out DIR."
        ) from None
    with open(fd, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"The batch in {folder} is running: `sii batch status {folder}` shows how it "
                "stands."
            ) from None
        except OSError as error:
            raise failure(folder / LOCK, error) from error
        yield
