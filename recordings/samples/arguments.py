"""A call's raw arguments as a value: exactly what the model wrote, or not at all."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson


def parse_arguments(arguments: str) -> dict[str, Any] | None:
    """Return the object that a string of arguments stands for; none when another text is meant.

    None for what is no JSON object, names a key twice, holds a number that is written otherwise
    when it is written again (`1e5`, `-0`, `NaN`), or half a character: each would read back as
    something the model did not write. Integers keep all their digits.
    """
    try:
        orjson.loads(arguments)  # what it refuses was sent back as `{}`
        parsed = json.loads(
            arguments,
            object_pairs_hook=_distinct,
            parse_float=_same_float,
            parse_int=_same_int,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _same_float(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else _refuse(text)


def _same_int(text: str) -> int:
    number = int(text)
    return number if str(number) == text else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is written otherwise when it is written again")
