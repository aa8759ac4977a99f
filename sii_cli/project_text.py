"""Reads a small text of a project, where commands in the sandbox write, too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST = 1 << 20
"""Bytes."""


def read_project_text(path: Path) -> str:
    """Return the text of a regular file. Raises `OSError`, `UnicodeDecodeError`.

    A pipe or a device in its place would hold us up for ever, gigabytes would fill the memory.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(f"it is no regular file of at most {LARGEST:,} bytes")
        return file.read(LARGEST).decode("utf-8")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
