"""Parsing a call's arguments, where the value reads back as exactly what the model wrote."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson


def parse_arguments(arguments: str) -> dict[str, Any] | None:
    """Return the object of a string of arguments, or `None` when it would not read back the same.

    `None` for what is not a JSON object, has a key twice, or has a number that is written
    differently again (`1e5`, `-0`, `NaN`) or half a character: a trainer would render text that the
    model did not write. Integers keep all their digits.
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
        raise ValueError("a key is there twice")
    return found


def _same_float(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else _refuse(text)


def _same_int(text: str) -> int:
    number = int(text)
    return number if str(number) == text else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is written differently when it is written again")
