"""The origin of a recording: this home's own, trusted by the user, or foreign."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from recordings.errors import MALFORMED, RecordingError
from recordings.storage.lines import parse_line
from recordings.storage.log import checked_hash, is_locked, recording_hash
from recordings.trust.grants import is_granted
from recordings.trust.home_key import HomeKey, find_key
from recordings.trust.seal import is_sealed

RecordingOrigin = Literal["own", "trusted", "foreign"]
"""`own`: this home wrote it; `trusted`: it is foreign, and the user trusts it; else `foreign`."""

_LOOKS = 5
"""How often a recording that is being written is checked: log and seal are two files."""


def origin_of(folder: Path, home: Path) -> RecordingOrigin:
    """Return the origin of a recording, with every line checked: for commands that act on it.

    A damaged recording is foreign. Raises `HomeKeyUnusable`, `RecordingNotFound`.
    """
    for _ in range(_looks(folder)):
        origin = origin_of_checked(folder, home, checked_head(folder))
        if origin == "own":
            break
    return origin


def origin_of_checked(folder: Path, home: Path, head: str) -> RecordingOrigin:
    """Return the origin of a recording whose every line was checked and whose hash is `head`.

    Without a hash it is foreign. Raises `HomeKeyUnusable`.
    """
    if is_sealed(folder, find_key(home), head):
        return "own"
    if not head:
        return "foreign"
    return "trusted" if is_granted(home, "recording", folder.name, head) else "foreign"


def seems_own(folder: Path, key: HomeKey | None, head: str = "") -> bool:
    """Return whether this home wrote a recording, by its hash only: for lists, which only show it.

    `head`: its hash, if it is known. A recording that cannot be read is not own.
    """
    try:
        if head and not is_locked(folder):
            return is_sealed(folder, key, head)
        return any(is_sealed(folder, key, recording_hash(folder)) for _ in range(_looks(folder)))
    except (RecordingError, OSError):
        return False


def is_imported(first_line: bytes) -> bool:
    """Return by its first line whether a recording was imported."""
    try:
        return bool(parse_line(first_line)["data"]["mode"] == "imported")
    except (RecordingError, *MALFORMED):
        return True  # it does not begin as a session does


def _looks(folder: Path) -> int:
    return _LOOKS if is_locked(folder) else 1


def checked_head(folder: Path) -> str:
    """Return the recording's hash; empty where a line or the chain is wrong."""
    try:
        return checked_hash(folder)
    except (RecordingError, OSError):
        return ""
