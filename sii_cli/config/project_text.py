"""Reads a small text of a project, where commands in the sandbox write, too."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

LARGEST = 1 << 20
"""Bytes."""
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_project_text(path: Path, largest: int = LARGEST) -> str:
    """Return the text of a regular file. Raises `OSError`, `UnicodeDecodeError`.

    A pipe or a device in its place would hold us up for ever, gigabytes would fill the memory.
    Neither the file nor its folder may be a link: it could lead to what is none of the project's.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
    try:
        fd = os.open(path.name, os.O_RDONLY | _SAFE, dir_fd=folder)
    finally:
        os.close(folder)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            raise OSError(f"it is not a regular file of at most {largest:,} bytes")
        return file.read(largest).decode("utf-8")


def text_sha256(text: str) -> str:
    """Return the hash that says which content of a file was trusted."""
    return hashlib.sha256(text.encode()).hexdigest()
