"""Migrations of old recordings to the current schema, one a version.

`MIGRATIONS[n]` turns a line's object of version n into one of version n + 1. The tests have a
recording of every released version (`tests/recordings/versions/`); each must stay readable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recordings.errors import RecordingDamaged, RecordingTooNew

SCHEMA_VERSION = 1

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def migrate(line: dict[str, Any]) -> dict[str, Any]:
    """Bring a line's object to the current version.

    Raises `RecordingTooNew`, `RecordingDamaged`.
    """
    version = line["v"]
    if version > SCHEMA_VERSION:
        raise RecordingTooNew(
            f"This recording has format {version}, but this version of sii reads formats up to "
            f"{SCHEMA_VERSION}: upgrade sii to read it."
        )
    if version < min(MIGRATIONS, default=SCHEMA_VERSION):
        raise RecordingDamaged(f"a line has the format {version}, which never existed")
    while version < SCHEMA_VERSION:
        line = MIGRATIONS[version](line)
        version += 1
    return line
