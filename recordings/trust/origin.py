"""Whose a recording is: this home's, somebody else's to which the user said yes, or foreign."""

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
"""Who made a recording: this home; somebody else, and the user said yes to it; somebody else."""

_LOOKS = 5
"""How often what is being written is looked at: a head and its seal are two files."""


def origin_of(folder: Path, home: Path) -> RecordingOrigin:
    """Return whose a recording is, every line and the chain checked: ask before acting on it.

    What is damaged, or was imported, is foreign. Raises `HomeKeyUnusable`, `RecordingNotFound`.
    """
    key = find_key(home)
    for _ in range(_looks(folder)):
        head = checked_head(folder)
        if is_sealed(folder, key, head):
            return "own"
    if not head:
        return "foreign"
    return "trusted" if is_granted(home, "recording", folder.name, head) else "foreign"


def seems_own(folder: Path, key: HomeKey | None, head: str = "") -> bool:
    """Tell by its head alone whether this home wrote a recording: for lists, which act on nothing.

    `head` is its hash where that is known. Never raises for what cannot be read: it is not own.
    """
    try:
        if head and not is_locked(folder):
            return is_sealed(folder, key, head)
        return any(is_sealed(folder, key, recording_hash(folder)) for _ in range(_looks(folder)))
    except (RecordingError, OSError):
        return False


def is_imported(first_line: bytes) -> bool:
    """Tell by its first line whether a recording was made of a conversation from elsewhere."""
    try:
        return bool(parse_line(first_line)["data"]["mode"] == "imported")
    except (RecordingError, *MALFORMED):
        return True  # it does not begin as a session does: nothing vouches for it


def _looks(folder: Path) -> int:
    return _LOOKS if is_locked(folder) else 1


def checked_head(folder: Path) -> str:
    """Return the hash of a recording's last line; empty where a line or the chain does not hold."""
    try:
        return checked_hash(folder)
    except (RecordingError, OSError):
        return ""
