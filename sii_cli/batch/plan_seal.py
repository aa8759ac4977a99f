"""Batches that a home holds since before plans had a proof: sealed as its own, once."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recordings.errors import RecordingFailed
from recordings.trust.home_key import HomeKey
from sii_cli.batch.places import BATCHES, find_homes
from sii_cli.batch.plan import is_batch, is_sealed, load_pinned, pin
from sii_cli.batch.query_asks import asks_of_all
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError


def seal_plans(home: Path, key: HomeKey) -> int:
    """Seal the plans of the home's batches that have no proof; return how many.

    What they ask for was allowed when they were begun. Only what belongs to the user, and nothing
    through a link; what is damaged is left.
    """
    batches = home / BATCHES
    if not _is_own_folder(batches):
        return 0
    sealed = 0
    for name in sorted(os.listdir(batches)):
        folder = batches / name
        with suppress(UsageError, RecordingFailed, OSError):
            if _is_own_folder(folder) and is_batch(folder) and not is_sealed(folder):
                _seal(folder, home, key)
                sealed += 1
    return sealed


def _seal(folder: Path, home: Path, key: HomeKey) -> None:
    plan, queries, _ = load_pinned(folder, key)
    nothing = replace(Settings(), image="")
    asks = asks_of_all(queries, Path(plan.query_folder), nothing, find_homes(home))
    allowed: list[tuple[str, str]] = sorted((ask.kind, ask.value) for ask in asks)
    pin(folder, replace(plan, allowed=allowed), queries, key)


def _is_own_folder(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
