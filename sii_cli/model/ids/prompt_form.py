"""How a family writes a conversation, as data: the forms of `forms.toml`, then the user's own."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, Literal

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_named
from sii_cli.config.settings import find_key_home
from sii_cli.model.errors import ModelCallRefused
from sii_cli.model.profiles import LARGEST_USER_FILE, USER_FILE

Around = tuple[str, str]
"""What comes before a text, and after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptForm:
    """One form; `forms.toml` describes the fields."""

    name: str
    user: Around
    system: Around
    results: Around
    result: Around
    assistant: str
    opening: str
    opening_unthinking: str
    thought: Around
    call: Around
    stops: tuple[str, ...]
    calls: Literal["pairs", "json"]
    dropped: str = ""
    after_thought: str = ""
    before_content: str = ""
    between: str = ""
    after_name: str = ""
    key: Around = ("", "")
    value: Around = ("", "")
    unthinking_user: str = ""
    call_stop: str = ""
    turn_end: str = ""
    after_turn: str = ""


@cache
def prompt_forms() -> tuple[PromptForm, ...]:
    """Return all forms, the user's first. Raises `ModelCallRefused` for a file that is wrong."""
    shipped = resources.files("sii_cli.model.ids").joinpath("forms.toml").read_text("utf-8")
    user = find_key_home(os.environ) / USER_FILE
    own: tuple[PromptForm, ...] = ()
    if user.exists():
        try:
            own = _parse(read_named(user, LARGEST_USER_FILE).decode(), str(user))
        except (OSError, UnicodeDecodeError) as error:
            raise ModelCallRefused("bad_profile", f"{user} cannot be read ({error}).") from None
    return own + _parse(shipped, "forms.toml")


def _parse(text: str, source: str) -> tuple[PromptForm, ...]:
    try:
        return tuple(map(_form, tomllib.loads(text).get("form", [])))
    except (*UNPARSABLE, TypeError, AttributeError) as error:
        why = why_unparsable(error)
        raise ModelCallRefused("bad_profile", f"{source} holds no forms ({why}).") from None


def _form(table: dict[str, Any]) -> PromptForm:
    kinds = {field.name: field.type for field in fields(PromptForm)}
    for name, value in table.items():
        kind = kinds.get(name)
        is_text = isinstance(value, str) and kind not in ("Around", "tuple[str, ...]")
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
        fits = is_text or (is_list and (kind != "Around" or len(value) == 2))
        if kind is None or not fits or (is_list and kind not in ("Around", "tuple[str, ...]")):
            raise TypeError(f"{name!r} is not a field of a form, or of another type")
    if table.get("calls") not in ("pairs", "json"):
        raise TypeError("'calls' must be pairs or json")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in table.items()
    }
    return PromptForm(**values)
