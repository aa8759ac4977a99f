"""Reads the settings from flags, environment and files, and checks every value where it enters."""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sii_cli import config_types
from sii_cli.config import (
    CONFIG_FILE,
    PROJECT_FOLDER,
    SETTING_FIELDS,
    SETTING_NAMES,
    Place,
    Settings,
    find_home,
    flag_of,
    variable_of,
)
from sii_cli.errors import UsageError
from sii_cli.project_text import read_project_text
from sii_cli.serve_state import running_server

PLACES: dict[str, tuple[Place, ...]] = {
    field.name: field.metadata["places"] for field in SETTING_FIELDS
}
MASKED = {"api_key", "env"}
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
        return variable_of(setting) if self.file is None else str(self.file)


def load_settings(
    flags: Mapping[str, Any],
    env: Mapping[str, str],
    cwd: Path | None = None,
    *,
    works: bool = True,
) -> Settings:
    """Put the settings together. Raises `UsageError` naming the place, the key and the remedy.

    `works`: someone will work in the workspace, so it must be one that a sandbox may show.
    """
    cwd = cwd or _cwd()
    outer = [
        Source("flag", {name: v for name, v in flags.items() if v is not None}, cwd),
        Source("environment", _from_environment(env), cwd),
    ]
    home = find_home(env)
    workspace = _merge(outer, {"workspace"}).get("workspace", (cwd, ""))[0]
    if works:
        _check_workspace(workspace, home)
    user_file = home / CONFIG_FILE
    project_file = workspace / PROJECT_FOLDER / CONFIG_FILE
    files = [_from_file("project", project_file)] if project_file != user_file else []
    files.append(_from_file("user", user_file))
    merged = _merge([*outer, *files], set(SETTING_NAMES))
    values = {name: value for name, (value, _) in merged.items()}
    sources = {name: source for name, (_, source) in merged.items()}
    values |= {"home": home, "workspace": workspace}
    if "env" in values:
        values["env"] = tuple(_variable(text, env, sources["env"]) for text in values["env"])
    if "base_url" not in values and (running := running_server(home)):
        values["base_url"], sources["base_url"] = running, "sii serve"
    values["tools"] = _all_tools(values.get("tools"))
    _check_together(values, sources)
    return Settings(**values, sources=sources, notes=tuple(_doubtful_variables(env)))


def _cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current directory is gone: change to one that exists.") from None


def _from_environment(env: Mapping[str, str]) -> dict[str, str]:
    """An empty variable is one that is not set."""
    pairs = ((name, env.get(variable_of(name), "")) for name in SETTING_NAMES)
    return {name: value for name, value in pairs if value}


def _doubtful_variables(env: Mapping[str, str]) -> list[str]:
    """Notice variables that look like a setting's, but are none."""
    known = [variable_of(name) for name in SETTING_NAMES]
    doubtful = {
        name: difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        for name in env
        if name.startswith("SII_") and name not in known
    }
    return [
        f"{name} is no setting and does nothing; did you mean {nearest[0]}?"
        for name, nearest in doubtful.items()
        if nearest
    ]


def _from_file(place: Place, path: Path) -> Source:
    try:
        text = read_project_text(path) if place == "project" else path.read_text("utf-8")
        values = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        values = {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error
    return Source(place, values, path.parent, path)


def _merge(sources: list[Source], wanted: set[str]) -> dict[str, tuple[Any, str]]:
    """Return each wanted setting's checked value, from the strongest source that has one."""
    merged: dict[str, tuple[Any, str]] = {}
    for source in sources:
        for name, raw in source.values.items():
            _check_place(source, name)
            if name in wanted:
                value = _check_value(source, name, raw)
                merged.setdefault(name, (value, source.name_of(name)))
    return merged


def _check_place(source: Source, name: str) -> None:
    if name not in PLACES:
        nearest = difflib.get_close_matches(name, SETTING_NAMES, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "`sii config` lists the settings."
        raise UsageError(f"{source.file}: there is no setting {name!r}; {hint}")
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


def _check_value(source: Source, name: str, raw: Any) -> Any:
    try:
        value = _adapter(name).validate_python(raw)
    except ValidationError as error:
        shown = "" if name in MASKED else f", not {_shorten(raw)}"
        key = f"{name} wants" if source.file else "wants"
        message = f"{source.name_of(name)}: {key} {_wanted(name, error)}{shown}."
        raise UsageError(message) from None
    if isinstance(value, Path):
        value = (source.folder / value).resolve()
        if source.place == "project" and not value.is_relative_to(source.folder.parent.resolve()):
            raise UsageError(f"{source.file}: {name} must lie inside the project, not at {value}.")
    return tuple(_mount(source, text) for text in value) if name == "mounts" else value


def _mount(source: Source, text: str) -> str:
    """Return `SOURCE:TARGET`, both absolute. Raises `UsageError`."""
    shown, colon, target = text.rpartition(":/")
    if not colon:
        shown = text
    path = (source.folder / Path(shown).expanduser()).resolve()
    if not path.exists():
        raise UsageError(f"{source.name_of('mounts')}: there is no {shown} to mount.")
    return f"{path}:/{target if colon else f'mnt/{path.name}'}"


def check_text(name: str, text: str) -> Any:
    """Return one setting's value, given as text with `--vary`. Raises `UsageError`."""
    return _check_value(Source("flag", {}, _cwd()), name, text)


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


def _check_workspace(workspace: Path, home: Path) -> None:
    if not workspace.is_dir():
        what = "is not a directory" if workspace.exists() else "does not exist"
        raise UsageError(
            f"The workspace {workspace} {what}: make it, or name another with --workspace DIR."
        )
    if home.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            f"The workspace {workspace} holds sii's own folder {home}, with your key and your "
            "recordings: work in a project's directory (--workspace DIR), or move SII_HOME."
        )


def _all_tools(chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    from tools.registry import TOOL_NAMES  # slow to import: not before the settings are checked

    if not chosen:
        return TOOL_NAMES
    if unknown := [name for name in chosen if name not in TOOL_NAMES]:
        raise UsageError(f"tools: there is no {unknown[0]!r}; there are {', '.join(TOOL_NAMES)}.")
    return chosen


def _variable(text: str, env: Mapping[str, str], source: str) -> str:
    """Return NAME=VALUE; a bare NAME gets the value that it has here. Raises `UsageError`."""
    if "=" in text:
        return text
    if text not in env:
        raise UsageError(f"{source}: the variable {text} is not set, so it cannot be passed on.")
    return f"{text}={env[text]}"


def _check_together(values: dict[str, Any], sources: dict[str, str]) -> None:
    if values.get("search_provider") == "searxng" and values.get("searxng_url") is None:
        raise UsageError(
            f"{sources['search_provider']}: search_provider is searxng, but searxng_url is not set."
        )
    home = values["home"].resolve()
    for mount in values.get("mounts", ()):
        if home.is_relative_to(mount.rpartition(":/")[0]):
            raise UsageError(
                f"{sources['mounts']}: {mount} would show sii's own folder {home}, with your key "
                "and your recordings: choose a narrower directory."
            )
    prompt = values.get("system_prompt")
    if prompt is not None and not prompt.is_file():
        raise UsageError(f"{sources['system_prompt']}: there is no file {prompt} to read.")
    tokenizer = values.get("tokenizer")
    if tokenizer is not None and not tokenizer.exists():
        raise UsageError(f"{sources['tokenizer']}: there is no {tokenizer} to count tokens with.")
