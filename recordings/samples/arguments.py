"""A call's raw arguments as a value: exactly what the model wrote, or not at all."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse_arguments(arguments: str) -> dict[str, Any] | None:
    """Return the object that a string of arguments stands for; none when another text is meant.

    None for what is no JSON object, names a key twice, or holds a number that JSON has not: each
    would read back as something the model did not write. Integers keep all their digits.
    """
    try:
        parsed = json.loads(arguments, object_pairs_hook=_distinct, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
