"""Paths that a user names."""

from __future__ import annotations

import os
from pathlib import Path


def real_path(path: Path | str) -> Path:
    """Return a path without links and `~`.

    Raises nothing: `Path.resolve` and `Path.expanduser` raise `RuntimeError` for links in a circle
    and for unknown users, which stay as they are here, and are found missing by what opens them.
    """
    return Path(os.path.realpath(expanded(path)))


def expanded(path: Path | str) -> Path:
    """Return a path without `~`, or as it is if there is no such user."""
    return Path(os.path.expanduser(path))
