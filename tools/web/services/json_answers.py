"""Reads JSON that a service answers, whatever is in it."""

from __future__ import annotations

from typing import Any

import orjson

from tools.web.services.request import ServiceError


def read_json(body: bytes, title: str) -> Any:
    """Return what a service answers. Raises `ServiceError`."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise _other_form(title) from None


def read_object(body: bytes, title: str) -> dict[str, Any]:
    """Return the object that a service answers. Raises `ServiceError`."""
    answer = read_json(body, title)
    if not isinstance(answer, dict):
        raise _other_form(title)
    return answer


def read_entries(answer: Any, title: str, *path: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an answer, by the names that lead to it.

    Raises `ServiceError`.
    """
    found = answer
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _other_form(title)
    return found


def entries_of(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an entry; whatever else is there is left out."""
    found = entry.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def object_of(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object in an entry, or an empty one."""
    found = entry.get(name)
    return found if isinstance(found, dict) else {}


def text_of(value: object) -> str:
    """Return a value as text; nothing as an empty one, a list as its elements."""
    if isinstance(value, list):
        return ", ".join(text_of(one) for one in value[:10] if not isinstance(one, list))
    return "" if value is None else str(value)


def _other_form(title: str) -> ServiceError:
    return ServiceError(f"{title} did not answer in its JSON form.")
