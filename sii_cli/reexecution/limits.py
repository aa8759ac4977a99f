"""Limits that a recording names: as it says where it is this home's, else never above one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sandbox.protocol import Limits


def recorded_limits(recorded: Mapping[str, Any], own: Limits) -> Limits:
    """Return the limits that an own recording names; where it names none that holds, one's own."""
    return Limits(**{name: _kind(recorded.get(name), mine) for name, mine in asdict(own).items()})


def lesser_limits(recorded: Mapping[str, Any], own: Limits) -> Limits:
    """Return the lesser of the limits that somebody's recording names and one's own.

    What is not a number above 0 limits nothing, so the user's own limit replaces it.
    """
    return Limits(
        **{name: min(_kind(recorded.get(name), mine), mine) for name, mine in asdict(own).items()}
    )


def _kind(value: Any, mine: float) -> Any:
    """Return a recorded number as the kind that one's own is, or one's own."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return mine
    try:
        number = type(mine)(value)
    except (OverflowError, ValueError):  # infinite, or none
        return mine
    return number if number > 0 and math.isfinite(number) else mine
