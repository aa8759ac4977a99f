"""What killed processes left beside recordings: half-written files, folders without an event."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recordings.blobs import BLOBS
from recordings.log import LOG, is_locked
from recordings.store import RecordingStore

_STALE = 3600.0
"""Seconds after which nobody is about to record the first event any more, or still writes a file:
of processes in another container, or on another machine, nothing is seen here."""


def half_written(store: RecordingStore) -> Iterator[Path]:
    """Yield the files that were being packed, redacted or kept when their process died."""
    for session in store.ids():
        for pattern in (f".{LOG}*", f"{BLOBS}/??/.*"):
            for path in (store.root / session).glob(pattern):
                pid = path.name.rpartition(".")[2]
                if pid.isdigit() and not os.path.exists(f"/proc/{pid}") and _is_stale(path):
                    yield path


def empty_folders(store: RecordingStore) -> Iterator[Path]:
    """Yield the folders of sessions and forks that died before anything was recorded."""
    recorded = set(store.ids())
    for name in store.names():
        folder = store.root / name
        if name not in recorded and _is_empty(folder):
            yield folder


def _is_empty(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir() or is_locked(folder):
        return False
    return _is_stale(folder) and {path.name for path in folder.iterdir()} <= {LOG, BLOBS}


def _is_stale(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - _STALE
    return False
