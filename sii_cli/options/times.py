"""Times and durations as a command line gives them."""

from __future__ import annotations

import re
import time
from datetime import datetime

import click

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)?")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: `90`, `5min`, `2h`, `3d`. Raises `click.BadParameter`."""
    seconds = _seconds(text)
    if seconds is None:
        raise click.BadParameter(f"{text!r} is not a duration, such as 90, 5min, 2h or 3d")
    return seconds


def parse_time(text: str) -> float:
    """Return the seconds since the epoch of a local time, or of a duration ago:

    `2026-11-23`, `2026-11-23T20:49`, `3d`. Raises `click.BadParameter`.
    """
    back = _seconds(text)
    if back is not None:
        return time.time() - back
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is not a time, such as 2026-11-23, 2026-11-23T20:49 or 3d"
        ) from None


def ago(when: float | None) -> str:
    """Say how long ago a time was."""
    if when is None:
        return ""
    seconds = max(0, int(time.time() - when))
    for unit in ("d", "h", "min"):
        if seconds >= UNITS[unit]:
            return f"{seconds // UNITS[unit]} {unit} ago"
    return "just now"


def _seconds(text: str) -> float | None:
    match = _SPAN.fullmatch(text.strip())
    return float(match[1]) * UNITS[match[2] or "s"] if match else None
