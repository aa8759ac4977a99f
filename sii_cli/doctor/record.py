"""What `sii doctor --record` found, kept for the recordings that begin soon after."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from recordings.events import CheckFound, ServerCheck
from recordings.storage.files import replace_file
from recordings.storage.opening import read_file

if TYPE_CHECKING:
    from sii_cli.doctor.server_checks import DoctorCheck

STATE_FILE = "doctor.json"
_LARGEST = 16 << 20
VALID = 24 * 3600.0
"""Seconds for which an examination is put into new recordings."""

_Kept = TypeAdapter(list[ServerCheck])


def keep_checks(home: Path, base_urls: Sequence[str], checks: Sequence[DoctorCheck]) -> Path:
    """Write down what was found of each server, with what was found of the machine.

    Raises `RecordingFailed`.
    """
    now = time.time()
    kept = [
        ServerCheck(
            base_url=url,
            examined=now,
            checks=[
                CheckFound(name=c.name, status=c.status, found=c.found, remedy=c.remedy)
                for c in checks
                if c.endpoint in ("", url)
            ],
        )
        for url in base_urls
    ]
    home.mkdir(parents=True, exist_ok=True)
    replace_file(home, STATE_FILE, _Kept.dump_json(kept, indent=1))
    return home / STATE_FILE


def kept_check(home: Path, base_url: str) -> ServerCheck | None:
    """Return what was found of a server, if it was examined lately."""
    try:
        kept = _Kept.validate_json(read_file(home, STATE_FILE, most=_LARGEST))
    except (OSError, ValidationError):
        return None
    for check in kept:
        if _same(check.base_url, base_url) and 0 <= time.time() - check.examined < VALID:
            return check
    return None


def _same(one: str, other: str) -> bool:
    return one.rstrip("/").removesuffix("/v1") == other.rstrip("/").removesuffix("/v1")
