"""Reads what `review.toml` says, with the line of what is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from recordings.reviews.protocol import LONGEST_NAME, MACHINES, POLICIES, REASONS, ReviewProtocol
from recordings.reviews.rubric import RubricUnusable, read_rubric

_MOST_REVIEWERS = 100
_LARGEST_COHORT = 1_000_000
_MOST_NAMES = 10_000


class FieldUnusable(ValueError):
    """Raised when a field has another value than it may have, at a line of the file."""

    def __init__(self, why: str, line: int | None) -> None:
        super().__init__(why)
        self.line = line


def read_protocol(content: bytes) -> ReviewProtocol:
    """Return the protocol that a file says. Raises what parsers raise, `FieldUnusable`."""
    text = content.decode()
    fields: dict[str, Any] = {}
    for name, value in tomllib.loads(text).items():
        try:
            fields[name] = _value(name, value)
        except RubricUnusable as error:
            raise FieldUnusable(str(error), _line_of(text, error.place)) from None
        except ValueError as error:
            raise FieldUnusable(str(error), _line_of(text, (name,))) from None
    return ReviewProtocol(**fields)


def _value(name: str, value: Any) -> Any:
    """Return the checked value of a field. Raises `ValueError`."""
    match name, value:
        case "policy", str() if value in POLICIES:
            return value
        case "reviewers", int() if value in range(1, _MOST_REVIEWERS + 1) and value is not True:
            return value
        case "cohort", int() if value in range(1, _LARGEST_COHORT + 1) and value is not True:
            return value
        case "second_read" | "gold_share" | "coverage_floor", int() | float() if _is_share(value):
            return float(value)
        case "blind" | "show_check" | "second_read_by_risk", bool():
            return value
        case "people" | "adjudicators" | "leads" | "gold" | "flags", list() if _are_names(value):
            return tuple(value)
        case "machines", list() if all(one in MACHINES for one in value):
            return tuple(value)
        case "set_aside", list() if all(one in REASONS for one in value):
            return tuple(value)
        case "rubric", _:
            return read_rubric(value)
        case _ if name in _WANTED:
            raise ValueError(f"{name} wants {_WANTED[name]}")
    import difflib  # which a correct file does not need

    nearest = difflib.get_close_matches(name, _WANTED, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_WANTED)}"
    raise ValueError(f"unknown field {name!r}; {hint}")


def _is_share(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1


def _are_names(value: list[Any]) -> bool:
    return len(value) <= _MOST_NAMES and all(
        isinstance(one, str) and 0 < len(one) <= LONGEST_NAME for one in value
    )


def _line_of(text: str, place: Sequence[str]) -> int | None:
    """Return the line of a key, or of the last of the tables and keys that lead to it."""
    lines, at = text.splitlines(), None
    for name in place:
        key = re.compile(rf"[\w.\"' -]*(?<![\w-]){re.escape(name)}[\"']?\s*(?:[=.\]])")
        for number in range(at or 0, len(lines)):
            line = lines[number][:1000]
            if key.match(line.lstrip(" [")):
                at = number
                break
    return None if at is None else at + 1


_WANTED = {
    "policy": f"one of {', '.join(POLICIES)}",
    "reviewers": f"a number from 1 to {_MOST_REVIEWERS}",
    "people": "a list of pseudonyms",
    "adjudicators": "a list of pseudonyms",
    "leads": "a list of pseudonyms",
    "machines": 'a list of "model" and "check"',
    "blind": "true or false",
    "show_check": "true or false",
    "coverage_floor": "a share from 0 to 1",
    "rubric": "a JSON Schema",
    "flags": "a list of words",
    "cohort": f"a number from 1 to {_LARGEST_COHORT:,}",
    "set_aside": f"a list of {', '.join(REASONS)}",
    "second_read": "a share from 0 to 1",
    "second_read_by_risk": "true or false",
    "gold": "a list of ids of recordings",
    "gold_share": "a share from 0 to 1",
}
