"""Grants: what the user has allowed once, in `grants.jsonl` of the home.

A grant is for exactly what was shown: it has a kind, a name and a sha256. Each line has the home's
proof, so a foreign line has no effect.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import orjson

from recordings.storage.opening import read_file
from recordings.trust.append import append_line
from recordings.trust.home_key import find_key, home_key

GRANTS = "grants.jsonl"
_LARGEST = 16 << 20
"""Most bytes of the file."""

GrantKind = Literal[
    "project_settings", "query_file", "recording", "person", "batch", "home", "command"
]


def is_granted(home: Path, kind: GrantKind, name: str, sha256: str) -> bool:
    """Return whether the user has allowed this before. Writes nothing. Raises `HomeKeyUnusable`."""
    return any(_granted(home, kind, (name, sha256)))


def granted_names(home: Path, kind: GrantKind) -> list[str]:
    """Return the names of all that the user has allowed of a kind. Raises `HomeKeyUnusable`."""
    return [name for name, _ in _granted(home, kind)]


def _granted(
    home: Path, kind: GrantKind, wanted: tuple[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of the grants of a kind that this home proves, or of the wanted one."""
    key = find_key(home)
    if key is None:
        return
    for line in _lines(home):
        if kind.encode() not in line:
            continue
        try:
            kept = orjson.loads(line)
            said = kept["name"], kept["sha256"]
            is_wanted = kept["kind"] == kind and wanted in (None, said)
            if is_wanted and key.proves(kept["proof"], "grant", kind, *said):
                yield said
        except (ValueError, LookupError, TypeError, AttributeError):
            continue  # not a grant: it allows nothing


def grant(home: Path, kind: GrantKind, name: str, sha256: str) -> None:
    """Record that the user allows this. Raises `HomeKeyUnusable`, `RecordingFailed`."""
    line = {
        "v": 1,
        "kind": kind,
        "name": name,
        "sha256": sha256,
        "time": round(time.time(), 3),
        "proof": home_key(home).prove("grant", kind, name, sha256),
    }
    append_line(home, GRANTS, line)


def _lines(home: Path) -> list[bytes]:
    try:
        return read_file(home, GRANTS, most=_LARGEST).splitlines()
    except OSError:
        return []  # without a readable file nothing is allowed
