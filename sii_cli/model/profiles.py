"""What is known of models by their names: the families, `profiles.toml`, the user's file."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_named
from sii_cli.config.settings import find_key_home
from sii_cli.model.errors import ModelCallRefused
from sii_cli.model.forms import registry

USER_FILE = "models.toml"
"""In the folder of the settings."""
LARGEST_USER_FILE = 16 << 20
"""Bytes of it."""
UNKNOWN = "unknown"
"""Name of the profile of a model that is not known."""
_ANOTHER = "the parser of the model's family, see vLLM's documentation"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one model. The fields are described in `profiles.toml`."""

    name: str = UNKNOWN
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    strict_tool_calls: bool = True
    thinking_off: dict[str, Any] | None = None
    keep_reasoning: dict[str, Any] | None = None
    context_length: int | None = None
    sampling: dict[str, Any] | None = None
    stop_tokens: tuple[str, ...] = ()
    call_stop: str | None = None
    control_tokens: tuple[str, ...] = ()
    gpu_memory: dict[str, int] | None = None
    serve_flags: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()

    @property
    def tool_flags(self) -> str:
        """The flags with which vLLM parses this model's tool calls."""
        parser = self.tool_call_parser or f"NAME ({_ANOTHER})"
        return f"--enable-auto-tool-choice --tool-call-parser {parser}"

    @property
    def reasoning_flags(self) -> str:
        """The flags with which vLLM parts this model's reasoning from its answers."""
        return f"--reasoning-parser {self.reasoning_parser or f'NAME ({_ANOTHER})'}"


@dataclass(frozen=True, slots=True)
class _Entry:
    match: tuple[str, ...]
    values: dict[str, Any]


def profile_of(*names: str) -> Profile:
    """Return what is known of a model that goes by these names (as served, its folder).

    Raises `ModelCallRefused` when the user's file cannot be read.
    """
    profile = Profile()
    for entry in _entries():
        if any(fnmatchcase(name.lower(), pattern) for name in names for pattern in entry.match):
            profile = replace(profile, **entry.values)
    return profile


@cache
def control_tokens() -> tuple[str, ...]:
    """Return the control tokens of all known models: a text may be sent to any of them."""
    found = (token for entry in _entries() for token in entry.values.get("control_tokens", ()))
    return tuple(dict.fromkeys(found))


@cache
def _entries() -> list[_Entry]:
    entries = [
        _entry({"name": form.name, "match": form.match, **form.profile}) for form in registry.FORMS
    ]
    shipped = resources.files("sii_cli.model").joinpath("profiles.toml").read_text("utf-8")
    entries += _parse(shipped, "profiles.toml")
    user = find_key_home(os.environ) / USER_FILE
    if user.exists():
        entries += _parse(_read(user), str(user))
    return entries


def _read(path: Path) -> str:
    try:
        return read_named(path, LARGEST_USER_FILE).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelCallRefused("bad_profile", f"{path} cannot be read ({error}).") from None


def _parse(text: str, source: str) -> list[_Entry]:
    try:
        tables = tomllib.loads(text).get("profile", [])
        return [_entry(table) for table in tables]
    except (*UNPARSABLE, TypeError, AttributeError, KeyError) as error:
        why = why_unparsable(error)
        raise ModelCallRefused(
            "bad_profile", f"{source} holds no model profiles ({why})."
        ) from None


_KINDS: dict[str, type] = {
    "name": str,
    "tool_call_parser": str,
    "reasoning_parser": str,
    "strict_tool_calls": bool,
    "thinking_off": dict,
    "keep_reasoning": dict,
    "context_length": int,
    "sampling": dict,
    "stop_tokens": list,
    "call_stop": str,
    "control_tokens": list,
    "gpu_memory": dict,
    "serve_flags": list,
    "traps": list,
}
assert set(_KINDS) == {field.name for field in fields(Profile)}


def _entry(table: dict[str, Any]) -> _Entry:
    match = tuple(str(pattern).lower() for pattern in table.pop("match"))
    for name, value in table.items():
        if name not in _KINDS:
            raise TypeError(f"{name!r} is not a field of a profile")
        if type(value) is not _KINDS[name]:
            raise TypeError(f"{name!r} must be of type {_KINDS[name].__name__}")
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    return _Entry(match, values)
