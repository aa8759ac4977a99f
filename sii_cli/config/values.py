"""Checks the value of a setting where it enters, and says what is wrong with it."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sii_cli.config import types as config_types
from sii_cli.config.paths import expanded, real_path
from sii_cli.config.settings import (
    KEY_SETTINGS,
    SETTING_FIELDS,
    SETTING_NAMES,
    Place,
    Settings,
    flag_of,
    variable_of,
)
from sii_cli.errors import UsageError

PLACES: dict[str, tuple[Place, ...]] = {
    field.name: field.metadata["places"] for field in SETTING_FIELDS
}
MASKED = {*KEY_SETTINGS, "env"}
"""Settings whose values are not repeated."""


@dataclass(frozen=True, slots=True)
class Source:
    """Values from one place, not checked yet. Relative paths in it start at `folder`."""

    place: Place
    values: Mapping[str, Any]
    folder: Path
    file: Path | None = None

    def name_of(self, setting: str) -> str:
        """Say where a value of this source stands."""
        if self.place == "flag":
            return flag_of(setting)
        if self.file is None:
            return variable_of(setting)
        return f"{self.file} (trusted)" if self.place == "project" else str(self.file)


def check_place(source: Source, name: str) -> None:
    """Raise `UsageError` unless the setting exists and may be set from this source."""
    if name not in PLACES:
        nearest = difflib.get_close_matches(name, SETTING_NAMES, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "`sii config` lists the settings."
        raise UsageError(f"{source.file}: unknown setting {name!r}; {hint}")
    if source.place in PLACES[name]:
        return
    where = {
        "flag": flag_of(name),
        "environment": variable_of(name),
        "user": "your own ~/.sii/config.toml",
    }
    allowed = [text for place, text in where.items() if place in PLACES[name]]
    owner = "a project's file" if source.place == "project" else "a file"
    raise UsageError(f"{source.file}: {name} cannot be set in {owner}: use {' or '.join(allowed)}.")


def check_value(source: Source, name: str, raw: Any) -> Any:
    """Return one setting's value, paths in it made absolute. Raises `UsageError`."""
    try:
        value = _adapter(name).validate_python(raw)
    except ValidationError as error:
        shown = "" if name in MASKED else f", not {_shorten(raw)}"
        key = f"{name} wants" if source.file else "wants"
        message = f"{source.file or source.name_of(name)}: {key} {_wanted(name, error)}{shown}."
        raise UsageError(message) from None
    if isinstance(value, Path):
        value = real_path(source.folder / value)
        if source.place == "project" and not value.is_relative_to(real_path(source.folder.parent)):
            raise UsageError(f"{source.file}: {name} must lie inside the project, not at {value}.")
    return tuple(_mount(source, text) for text in value) if name == "mounts" else value


def _mount(source: Source, text: str) -> str:
    """Return `SOURCE:TARGET`, both absolute. Raises `UsageError`."""
    shown, colon, target = text.rpartition(":/")
    if not colon:
        shown = text
    path = real_path(source.folder / expanded(shown))
    if not path.exists():
        raise UsageError(f"{source.name_of('mounts')}: there is no {shown} to mount.")
    return f"{path}:/{target if colon else f'mnt/{path.name}'}"


def check_tools(names: tuple[str, ...], where: str) -> None:
    """Raise `UsageError` for a tool that there is none of."""
    from tools.registry import ALL_TOOLS  # slow to import: not before the settings are checked

    if unknown := [name for name in names if name not in ALL_TOOLS]:
        raise UsageError(f"{where}: there is no {unknown[0]!r}; there are {', '.join(ALL_TOOLS)}.")


def check_text(name: str, text: str) -> Any:
    """Return one setting's value, given as text with `--vary`. Raises `UsageError`."""
    return check_value(Source("flag", {}, current_directory()), name, text)


def _wanted(name: str, error: ValidationError) -> str:
    hint = _hints()[name]
    for part in (hint, *typing.get_args(hint)):
        for extra in getattr(part, "__metadata__", ()):
            if title := getattr(extra, "title", None):
                return str(title)
    return str(error.errors()[0]["msg"]).removeprefix("Input should be ")


def _shorten(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "…"


@cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(
        Settings,
        localns={**vars(config_types), "WebSettings": object},
        include_extras=True,
    )


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_hints()[name])


def current_directory() -> Path:
    """Return where we are. Raises `UsageError`."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current directory is gone: change to one that exists.") from None
