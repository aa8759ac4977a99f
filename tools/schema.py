"""A tool's parameters as a JSON schema for models, and what is wrong with arguments, as text."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tools.base import Tool
from tools.text import displayed

_KEYS = (
    "type",
    "description",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "items",
    "properties",
    "required",
    "additionalProperties",
)
_WANTED = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "a boolean",
    "array": "a list",
    "object": "an object",
}
_COMPLAINTS = 10
"""Arguments that are complained of one by one."""
_QUOTED = 40
"""Characters of a wrong value or of bad JSON that are quoted."""
_MAX_VALUES = 10_000
"""Values that arguments hold, as elements of lists and objects: each that does not fit is
complained of, and all are looked at more than once."""
_MAX_DEPTH = 100
"""Levels of nested arguments: far more than a tool takes, less than what overflows a stack."""


class BadArguments(ValueError):
    """Raised when arguments are not a JSON object; the message says where and why."""


def function_schema(tool: Tool[Any]) -> dict[str, Any]:
    """Return a tool in the form of OpenAI's function tools."""
    parameters = tool.params.model_json_schema()
    definitions = parameters.pop("$defs", {})
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": _plain(parameters, definitions),
        },
    }


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references, with what a model reads of it, in a fixed order."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        schema = {**target, **{key: schema[key] for key in schema if key != "$ref"}}
    if "anyOf" in schema:  # an optional value: leaving it out is the way to give none
        (variant,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        schema = {**variant, **{key: schema[key] for key in schema if key != "anyOf"}}
    plain = {key: schema[key] for key in _KEYS if schema.get(key) is not None}
    if schema["type"] == "object":
        plain.pop("description", None)  # the docstring of a class
        plain["properties"] = {
            name: _plain(one, definitions) for name, one in schema["properties"].items()
        }
    elif schema["type"] == "array":
        plain["items"] = _plain(schema["items"], definitions)
    if left := set(schema) - set(_KEYS) - {"title"}:
        raise ValueError(f"a schema keyword that is not taken care of: {sorted(left)}")
    return plain


def parse_arguments(arguments: str) -> dict[str, Any]:
    """Read the raw arguments of a call. Raises `BadArguments`."""
    if not arguments.strip():
        raise BadArguments("The arguments are empty; a JSON object is wanted.")
    try:
        value = orjson.loads(arguments)
        _refuse_many(value)
        # For repeated names alone: a number of thousands of digits is none that `int` reads.
        json.loads(arguments, object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise BadArguments(
            f"The arguments are not valid JSON: {error.msg} at character {error.pos}, "
            f"here: {_place(arguments, error.pos)}"
        ) from None
    if not isinstance(value, dict):
        raise BadArguments(f"The arguments are {_described(value)}; a JSON object is wanted.")
    return value


def _refuse_many(value: Any) -> None:
    level, count = [value], 0
    for _ in range(_MAX_DEPTH):
        inner = [one for one in level if isinstance(one, dict | list)]
        count += sum(map(len, inner))
        if count > _MAX_VALUES:
            raise BadArguments(f"The arguments hold more than {_MAX_VALUES:,} values.")
        if not inner:
            return
        level = [item for one in inner for item in (one.values() if isinstance(one, dict) else one)]
    raise BadArguments(f"The arguments are nested over {_MAX_DEPTH} levels deep.")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in counts.items() if count > 1)
        raise BadArguments(f"The arguments give {_quoted(repeated)} more than once.")
    return found


def _place(text: str, position: int) -> str:
    """Quote the text around a position, which is marked by an arrow."""
    start, end = max(0, position - _QUOTED), position + _QUOTED
    before = displayed(text[start:position]).replace("\n", "\\n")
    after = displayed(text[position:end]).replace("\n", "\\n")
    return f"{'...' if start else ''}{before} --> {after}{'...' if end < len(text) else ''}"


def wrong_arguments(error: ValidationError, parameters: dict[str, Any]) -> str:
    """Say of each argument that does not fit what was given and what is wanted.

    `parameters` is the schema that `function_schema` returns.
    """
    errors = error.errors(include_url=False)
    lines = [f"- {_complaint(one, parameters)}" for one in errors[:_COMPLAINTS]]
    if len(errors) > _COMPLAINTS:
        lines.append(f"- and {len(errors) - _COMPLAINTS} more")
    return "\n".join(lines)


def _complaint(error: ErrorDetails, parameters: dict[str, Any]) -> str:
    *parents, last = error["loc"]
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    around = _schema_at(parents, parameters)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown name{_nearest(str(last), list(around['properties']))}"
    schema = _schema_at([last], around)
    wanted = _wanted(schema)
    if error["type"] == "missing":
        return f"{where}: missing; wanted: {wanted} ({schema['description']})"
    given = error["input"]
    if error["type"] == "int_type" and (number := _as_integer(given)) is not None:
        wanted += f", written {number}"
    elif error["type"] == "list_type" and isinstance(given, str):
        wanted += " itself, not a string of it"
    elif not error["type"].endswith("_type") and "enum" not in schema:
        wanted = f"{wanted}: {error['msg']}"
    return f"{where}: {_described(given)} was given; wanted: {wanted}"


def _schema_at(where: Sequence[int | str], schema: dict[str, Any]) -> dict[str, Any]:
    for part in where:
        schema = schema["items"] if isinstance(part, int) else schema["properties"].get(part, {})
    return schema


def _wanted(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(_quoted, schema['enum']))}"
    return _WANTED[schema["type"]]


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:_QUOTED], known, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{meant}; known: {', '.join(known)}"


def _as_integer(given: object) -> int | None:
    if isinstance(given, bool):
        return None
    try:
        number = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def _described(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    kind = {bool: "the boolean", str: "the string"}.get(type(value), "the number")
    return f"{kind} {_quoted(value)}"


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
