"""Sealing, once, the recordings that a home has from before it had a key."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from recordings.errors import RecordingError
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import vouch
from recordings.storage.files import REVIEWS, failure, stored_status
from recordings.storage.lines import check_line
from recordings.storage.log import LOG, is_locked, last_line, read_lines, recording_hash
from recordings.trust.home_key import HomeKey, home_key
from recordings.trust.origin import is_imported
from recordings.trust.seal import SEAL, put_seal

SEALED = "sealed"
"""The file in a home that says that this was done."""


def working_key(home: Path) -> HomeKey:
    """Return the key of a home, for a command that writes; an existing home is sealed first.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    key = home_key(home)
    seal_existing(home)
    return key


def seal_existing(home: Path) -> int:
    """Seal the recordings and reviews of a home, unless that was done; return how many.

    Only files of the user, and only recordings from before there were seals. Of each recording the
    two ends are read. When it is killed, the next start continues. Raises `HomeKeyUnusable`,
    `RecordingFailed`.
    """
    if os.path.lexists(home / SEALED) or not home.is_dir():
        return 0
    key, sealed, busy = home_key(home), 0, False
    for folder in _recordings(home):
        with suppress(RecordingError, OSError):  # a damaged recording gets no seal
            if is_locked(folder):  # another session writes it, perhaps an older version
                busy = busy or not os.path.lexists(folder / SEAL)
                continue
            sealed += _seal(folder, key)
            if _is_ours(folder / REVIEWS, stat.S_ISREG):
                vouch(folder, ReviewKeys(key))
    if not busy:
        _remember(home / SEALED)
    return sealed


def _seal(folder: Path, key: HomeKey) -> bool:
    log = stored_status(folder / LOG)
    if log is None or log.st_uid != os.geteuid() or os.path.lexists(folder / SEAL):
        return False
    last, first = last_line(folder), next(read_lines(folder), None)
    if last is None or first is None or check_line(last) is None or is_imported(first.text):
        return False
    put_seal(folder, key, recording_hash(folder))
    return True


def _recordings(home: Path) -> Iterator[Path]:
    """Yield the folders of the recordings of the home and of its batches, not through links."""
    batches = home / "batches"
    homes = [home, *(_folders(batches) if _is_ours(batches, stat.S_ISDIR) else ())]
    for one in homes:
        if _is_ours(one / "recordings", stat.S_ISDIR):
            yield from _folders(one / "recordings")


def _folders(folder: Path) -> list[Path]:
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    return [path for name in names if _is_ours(path := folder / name, stat.S_ISDIR)]


def _is_ours(path: Path, is_kind: Callable[[int], bool]) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return is_kind(status.st_mode) and status.st_uid == os.geteuid()


def _remember(path: Path) -> None:
    try:
        path.write_text("The recordings from before this file are sealed as this home's own.\n")
        path.chmod(0o600)
    except OSError as error:
        raise failure(path, error) from error
