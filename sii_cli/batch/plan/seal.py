"""Seals the plans of a home's batches that were begun before plans had a proof."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recordings.errors import RecordingFailed
from recordings.trust.home_key import HomeKey
from sii_cli.batch.plan.pinned import has_proof, is_batch, load_pinned, pin
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.queries.requirements import requirements_of_all
from sii_cli.queries.workspaces.workspace_sources import BATCHES, find_kept_folders, sources_of


def seal_plans(home: Path, key: HomeKey) -> int:
    """Seal the plans of the home's batches that have no proof; return how many.

    The user granted what they require when they were begun. Only folders of the user are sealed,
    none through a link; damaged ones are left.
    """
    batches = home / BATCHES
    if not _is_own_folder(batches):
        return 0
    sealed = 0
    for name in sorted(os.listdir(batches)):
        folder = batches / name
        with suppress(UsageError, RecordingFailed, OSError):
            if _is_own_folder(folder) and is_batch(folder) and not has_proof(folder):
                _seal(folder, home, key)
                sealed += 1
    return sealed


def _seal(folder: Path, home: Path, key: HomeKey) -> None:
    plan, queries, _ = load_pinned(folder, key)
    nothing = replace(Settings(), image="")
    sources = sources_of(queries, Path(plan.query_folder), find_kept_folders([home]))
    requirements = requirements_of_all(queries, sources, nothing)
    allowed: list[tuple[str, str]] = sorted((one.kind, one.value) for one in requirements)
    pin(folder, replace(plan, allowed=allowed), queries, key)


def _is_own_folder(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
