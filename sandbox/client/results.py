"""Reads what a runner says of a result. The runner stands among what a model runs, so any value may
be of another kind or without an end: then nothing that it says is believed.
"""

from __future__ import annotations

from typing import Any, get_args

from sandbox.protocol import LimitName
from sandbox.runner.frames import FrameError, Head

MOST_TEXT = 64 << 10
"""Characters of a path, a reason and the like."""
_MOST = 2**53
"""Below it a number is the same in every program that reads JSON."""
_MOST_STATUS = 2**31 - 1
_LIMITS = frozenset(get_args(LimitName))


def whole(head: Head, name: str) -> int:
    """Return a count, a size or a number of something. Raises `FrameError`."""
    value = head.get(name)
    if type(value) is not int or not 0 <= value < _MOST:
        raise FrameError(f"`{name}` is not a count")
    return value


def status(head: Head, name: str) -> int | None:
    """Return an exit status or a signal, or None. Raises `FrameError`.

    A program may end with any number: one that no system knows is the nearest that it does.
    """
    value = head.get(name)
    if value is not None and type(value) is not int:
        raise FrameError(f"`{name}` is not a status")
    return value if value is None else max(-_MOST_STATUS, min(value, _MOST_STATUS))


def seconds(head: Head, name: str) -> float:
    """Return a time. Raises `FrameError`."""
    value: Any = head.get(name)
    if type(value) not in (int, float) or not abs(value) < _MOST:  # also NaN
        raise FrameError(f"`{name}` is not a time")
    return float(value)


def flag(head: Head, name: str) -> bool:
    """Return a yes or no. Raises `FrameError`."""
    value = head.get(name)
    if type(value) is not bool:
        raise FrameError(f"`{name}` is neither yes nor no")
    return value


def text_or_none(head: Head, name: str) -> str | None:
    """Return a short text, or None. Raises `FrameError`."""
    value = head.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > MOST_TEXT):
        raise FrameError(f"`{name}` is not a short text")
    return value


def text(head: Head, name: str) -> str:
    """Return a short text. Raises `FrameError`."""
    value = text_or_none(head, name)
    if value is None:
        raise FrameError(f"`{name}` is missing")
    return value


def part_or_none(head: Head, name: str) -> Head | None:
    """Return an object within the head, or None. Raises `FrameError`."""
    value = head.get(name)
    if value is not None and not isinstance(value, dict):
        raise FrameError(f"`{name}` is not an object")
    return value


def limits(head: Head, name: str) -> list[LimitName]:
    """Return the limits that were hit. Raises `FrameError`."""
    value = head.get(name)
    if not isinstance(value, list) or len(value) > len(_LIMITS) or not _known(value):
        raise FrameError(f"`{name}` names no limits")
    return value


def _known(names: list[Any]) -> bool:
    return all(isinstance(name, str) and name in _LIMITS for name in names)
