"""Counts and sizes as text."""

from __future__ import annotations


def counted(count: int, one: str, more: str) -> str:
    """Say how many there are: `1 query`, `2,000 queries`."""
    return f"{count:,} {one if count == 1 else more}"


def size(count: int) -> str:
    """Say how many bytes: `13.6 kB`, `1.2 GB`."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def duration(seconds: float) -> str:
    """Say how long something took: `9 s`, `2 min 5 s`."""
    if seconds < 60:
        return f"{int(seconds)} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
