"""The beginnings of long texts, for screens that are scrolled: a recording may have any size."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from operator import is_
from typing import Any

from recordings.events import Event

MOST_LINES = 2000
"""Lines of a text, and items of a list, that are drawn."""
MOST_CHARACTERS = 100_000
"""Characters of one text that are drawn."""
_DEEPEST = 8
"""Lists and objects within each other in which texts are looked for."""


def bounded(event: Event) -> Event:
    """Return an event with the beginning of its long texts, also of those in its arguments."""
    found = {name: _beginning(value, 0) for name, value in event.data.__dict__.items()}
    if all(value is event.data.__dict__[name] for name, value in found.items()):
        return event
    return replace(event, data=event.data.model_copy(update=found))


def head(text: str) -> str:
    """Return the beginning of a text that is too long to be drawn, with a sentence."""
    end = min(len(text), MOST_CHARACTERS)
    if text.count("\n", 0, end) > MOST_LINES:
        end = sum(len(line) + 1 for line in text[:end].split("\n", MOST_LINES)[:MOST_LINES])
    return text if end == len(text) else f"{text[:end]}\n… (`sii show` prints the rest)"


def _beginning(value: Any, depth: int) -> Any:
    """Return the value itself where nothing of it is too long."""
    if isinstance(value, str):
        return head(value)
    if depth == _DEEPEST:
        return value
    if isinstance(value, dict):
        items = {key: _beginning(one, depth + 1) for key, one in islice(value.items(), MOST_LINES)}
        same = len(items) == len(value) and all(items[key] is value[key] for key in items)
        return value if same else items
    if isinstance(value, list):
        ones = [_beginning(one, depth + 1) for one in value[:MOST_LINES]]
        same = len(ones) == len(value) and all(map(is_, ones, value))
        return value if same else ones
    return value
