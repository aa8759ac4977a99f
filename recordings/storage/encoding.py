"""Encoding values as JSON, whatever a model or a tool has put into them."""

from __future__ import annotations

from typing import Any

import orjson

_INT64 = range(-(1 << 63), 1 << 64)


def encode(value: Any) -> bytes:
    """Encode a value, also one with parts of events in it, as JSON in UTF-8.

    What JSON or UTF-8 cannot hold is converted: lone surrogates to `\\udc80`, integers beyond
    64 bits to strings of digits, unknown objects to their `repr`.
    """
    try:
        return orjson.dumps(value, default=_fields)
    except TypeError:
        return orjson.dumps(_storable(value))


def _fields(value: Any) -> dict[str, Any]:
    # Three times as fast as pydantic's own serializer, with the same result for these models.
    later = getattr(value, "later", None)
    if later is None and not _is_model(value):
        raise TypeError
    fields: dict[str, Any] = value.__dict__
    return _set_fields(fields, later) if later else fields


def _set_fields(fields: dict[str, Any], later: frozenset[str]) -> dict[str, Any]:
    """Leave out the fields of `later` that are not set (`recordings.events.EventPart`)."""
    return {name: value for name, value in fields.items() if value is not None or name not in later}


def _is_model(value: Any) -> bool:
    return hasattr(value, "model_dump")  # pydantic is slow to import, and lists need no events


def _storable(value: Any) -> Any:
    match value:
        case None | bool() | float():
            return value
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case int():
            return value if value in _INT64 else str(value)
        case dict():
            return {_storable(str(key)): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _ if _is_model(value):
            return _storable(_fields(value))
        case _:
            return _storable(repr(value))
