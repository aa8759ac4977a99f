"""A value of a call as the model wrote it → JSON, by the type that the tool's schema gives it."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

MOST_LITERAL = 100_000
"""Characters of a response's values that are read as Python, a second's work: its syntax tree takes
a hundred times as many."""
MOST_DIGITS = 4000


class ArgumentTypes:
    """The types of the arguments of a session's tools."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """`tools` are the schemas as sent."""
        self._properties: dict[str, Mapping[str, Any]] = {}
        for tool in tools:
            function = tool.get("function", tool)
            parameters = function.get("parameters") or {}
            self._properties[str(function.get("name"))] = parameters.get("properties") or {}

    def of(self, tool: str, argument: str) -> str | None:
        """Return the type of an argument; of several, string before the others."""
        schema = self._properties.get(tool, {}).get(argument)
        kind = schema.get("type") if isinstance(schema, Mapping) else None
        if isinstance(kind, list):
            return "string" if "string" in kind else next((one for one in kind if one), None)
        return kind if isinstance(kind, str) else None


class LiteralRoom:
    """How many characters of one response may still be read as Python."""

    def __init__(self) -> None:
        self._left = MOST_LITERAL

    def take(self, text: str) -> bool:
        """Take the room for a text; return whether there was enough."""
        if len(text) > self._left:
            return False
        self._left -= len(text)
        return True


def as_json(written: str, kind: str | None, room: LiteralRoom) -> str:
    """Return a value as JSON: as it stands where it is JSON, else as the type says, else a string.

    A string is taken as it was written. `room`: for what is read as Python.
    """
    if kind == "string":
        return json.dumps(written, ensure_ascii=False)
    text = written.strip()
    if _is_json(text):
        return text
    if kind in ("integer", "number") and len(text) <= MOST_DIGITS:
        for number in (int, float):
            with suppress(ValueError):
                shown = json.dumps(number(text))
                if _is_json(shown):
                    return shown
    if text.lower() in ("true", "false", "null", "none"):
        return text.lower().replace("none", "null")
    if room.take(text):
        unread = ValueError, SyntaxError, MemoryError, RecursionError, TypeError
        with suppress(*unread), warnings.catch_warnings(action="ignore"):
            shown = json.dumps(ast.literal_eval(text), ensure_ascii=False)
            if _is_json(shown):
                return shown
    return json.dumps(written, ensure_ascii=False)


def _is_json(text: str) -> bool:
    """Return whether every reader takes a text as JSON, also those that refuse `NaN`."""
    with suppress(orjson.JSONDecodeError):
        orjson.loads(text)
        return True
    return False
