"""A file of a workspace → an object, though it may change while it is read."""

from __future__ import annotations

import errno
import os
import stat
import threading
from dataclasses import dataclass

from sandbox.snapshots.errors import Stopped
from sandbox.snapshots.objects import Objects

_CHUNK = 1 << 20
_SMALL = 1 << 20
"""Bytes up to which a file is read at once, and hashed before anything is written."""
_BINARY_HEAD = 8000
"""Bytes in which a NUL makes a file binary; as git decides."""
_ATTEMPTS = 3
"""Readings of a small file that changes; a large one that always grows would cost too much."""


class Busy(Exception):
    """The file cannot be kept now; never leaves this package."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content in the store."""

    sha256: str
    size: int
    binary: bool


def keep_file(
    fd: int, objects: Objects, max_file: int, stop: threading.Event
) -> tuple[Content, os.stat_result, bool]:
    """Keep an open file; return its content, its status and whether it was unchanged meanwhile.

    Raises `OSError` from the file (ENXIO when it is not a regular one), `Busy` when it is or grows
    too large, `SnapshotError` and `StoreFull` from the store, `Stopped`.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    for _ in range(_ATTEMPTS if status.st_size <= _SMALL else 1):
        if status.st_size > max_file:
            raise Busy("too large")
        content = _keep(fd, objects, status.st_size, stop)
        after = os.fstat(fd)
        if _same(status, after) and content.size == status.st_size:
            return content, after, True
        status = after
    return content, after, False


def _keep(fd: int, objects: Objects, size: int, stop: threading.Event) -> Content:
    if size <= _SMALL:
        data = _read(fd, 0, size)
        return Content(objects.put(data), len(data), is_binary(data))
    with objects.writer() as writer:
        done, binary = 0, False
        while done < size and (data := os.pread(fd, min(_CHUNK, size - done), done)):
            if stop.is_set():
                raise Stopped
            binary = binary or (done == 0 and is_binary(data))
            writer.write(data)
            done += len(data)
        return Content(writer.commit(), done, binary)


def _read(fd: int, offset: int, size: int) -> bytes:
    """Read up to `size` bytes; fewer only at the file's end."""
    data = os.pread(fd, size, offset)
    if len(data) == size or not data:
        return data
    return data + _read(fd, offset + len(data), size - len(data))


def is_binary(data: bytes) -> bool:
    """Tell whether the beginning of a file makes it binary."""
    return data.find(0, 0, _BINARY_HEAD) >= 0


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
