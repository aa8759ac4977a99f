"""Finding what killed processes left: half-written files, folders without an event."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recordings.storage.blobs import BLOBS, blob_folders
from recordings.storage.log import LOG, is_locked
from recordings.storage.opening import OpenFolder
from recordings.store.store import RecordingStore
from recordings.trust.seal import SEAL

_STALE = 3600.0
"""Seconds after which a file or a folder is a leftover. Its process may run in another container,
or on another machine, where it cannot be seen."""


def half_written(store: RecordingStore) -> Iterator[tuple[OpenFolder, str]]:
    """Yield the files that a killed process was writing (packed, redacted or new ones).

    Each comes with its folder, which is open until the next.
    """
    for session in store.ids():
        with suppress(OSError), OpenFolder(store.root, session) as folder:
            yield from _half_written(folder, f".{LOG}")
            yield from _half_written(folder, f".{SEAL}.")
            for blobs in blob_folders(folder.path):
                yield from _half_written(blobs, ".")


def _half_written(folder: OpenFolder, beginning: str) -> Iterator[tuple[OpenFolder, str]]:
    for name in folder.names():
        pid = name.rpartition(".")[2]
        if name.startswith(beginning) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            status = folder.status(name)
            if status is not None and stat.S_ISREG(status.st_mode) and _is_stale(status):
                yield folder, name


def empty_folders(store: RecordingStore) -> Iterator[Path]:
    """Yield the folders of sessions and forks that were killed before their first event."""
    recorded = set(store.ids())
    for name in store.names():
        folder = store.root / name
        if name not in recorded and _is_empty(folder):
            yield folder


def _is_empty(folder: Path) -> bool:
    if is_locked(folder):
        return False
    try:
        with OpenFolder(folder.parent, folder.name) as opened:
            return _is_stale(os.fstat(opened.fd)) and {LOG, BLOBS, SEAL}.issuperset(opened.names())
    except OSError:
        return False


def _is_stale(status: os.stat_result) -> bool:
    return status.st_mtime < time.time() - _STALE
