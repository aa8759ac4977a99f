"""Reads the settings from flags, environment and files, and checks every value where it enters."""

from __future__ import annotations

import difflib
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_named
from sii_cli.config.collection import collection_values
from sii_cli.config.homes import users_homes
from sii_cli.config.paths import real_path
from sii_cli.config.project_settings import (
    find_project_file,
    notes_about,
    stricter_values,
    trusted_source,
)
from sii_cli.config.project_text import LARGEST
from sii_cli.config.running_server import running_folder, running_server
from sii_cli.config.settings import (
    COLLECTION,
    CONFIG_FILE,
    KEY_SETTINGS,
    SETTING_NAMES,
    Place,
    Settings,
    find_home,
    find_key_home,
    variable_of,
)
from sii_cli.config.values import (
    Source,
    check_place,
    check_tools,
    check_value,
    current_directory,
)
from sii_cli.errors import UsageError
from tools.web.search_providers.registry import DEFAULT_SEARCH, SEARCH_PROVIDERS


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
    cwd = cwd or current_directory()
    outer = [
        Source("flag", {name: v for name, v in flags.items() if v is not None}, cwd),
        Source("environment", _from_environment(env), cwd),
    ]
    home, key_home = find_home(env), find_key_home(env)
    workspace = _merge(outer, {"workspace"}).get("workspace", (cwd, ""))[0]
    if works:
        for one in users_homes(env):
            _check_workspace(workspace, one)
    project = find_project_file(workspace, home)
    trusted = trusted_source(key_home, project)
    own = _from_file("user", key_home / CONFIG_FILE)
    collection = collection_values(key_home / CONFIG_FILE, own.values.get(COLLECTION, {}))
    own = replace(own, values={name: one for name, one in own.values.items() if name != COLLECTION})
    files = [*([trusted] if trusted else []), own]
    merged = _merge([*outer, *files], set(SETTING_NAMES))
    notes = [*_doubtful_variables(env), *_key_in_sight(own)]
    if project is not None:
        notes += notes_about(project, trusted=trusted is not None)
        for name, value in stricter_values(project, merged).items():
            merged[name] = (value, f"{project.path} (stricter)")
    values = {name: value for name, (value, _) in merged.items()}
    sources = {name: source for name, (_, source) in merged.items()}
    values |= collection | {"home": home, "key_home": key_home, "workspace": workspace}
    if project is not None and sources.get("system_prompt") == f"{project.path} (trusted)":
        values["trusted_prompt"] = project.prompt_sha256
    if "env" in values:
        values["env"] = tuple(_variable(text, env, sources["env"]) for text in values["env"])
    if "base_url" not in values and (running := running_server(key_home)):
        values["base_url"], sources["base_url"] = running, "sii serve"
        folder = running_folder(key_home)
        if "tokenizer" not in values and folder and (folder / "tokenizer.json").is_file():
            values["tokenizer"], sources["tokenizer"] = folder, "sii serve"
    values["tools"] = _all_tools(values.get("tools"), values.get("image", ""), works=works)
    _check_together(values, sources, env)
    if works and values.get("data"):
        _check_data(values, sources["data"], env)
    return Settings(**values, sources=sources, notes=tuple(notes))


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
        f"{name} is not a setting and does nothing; did you mean {nearest[0]}?"
        for name, nearest in doubtful.items()
        if nearest
    ]


def _key_in_sight(own: Source) -> Iterator[str]:
    """Notice a file with a key that others on the machine can read."""
    if any(name in own.values for name in KEY_SETTINGS) and own.file is not None:
        with suppress(OSError):
            if own.file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
                yield f"others can read the key in {own.file}: say `chmod 600 {own.file}`."


def _from_file(place: Place, path: Path) -> Source:
    try:
        values = tomllib.loads(read_named(path, LARGEST).decode())
    except (FileNotFoundError, NotADirectoryError):
        values = {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except UNPARSABLE as error:
        raise UsageError(f"{path} is not valid TOML: {why_unparsable(error)}.") from error
    return Source(place, values, path.parent, path)


def _merge(sources: list[Source], wanted: set[str]) -> dict[str, tuple[Any, str]]:
    """Return each wanted setting's checked value, from the strongest source that has one."""
    merged: dict[str, tuple[Any, str]] = {}
    for source in sources:
        for name, raw in source.values.items():
            check_place(source, name)
            if name in wanted:
                value = check_value(source, name, raw)
                merged.setdefault(name, (value, source.name_of(name)))
    return merged


def _check_workspace(workspace: Path, home: Path) -> None:
    if not workspace.is_dir():
        what = "is not a directory" if workspace.exists() else "does not exist"
        raise UsageError(
            f"The workspace {workspace} {what}: make it, or name another with --workspace DIR."
        )
    if real_path(home).is_relative_to(real_path(workspace)):
        raise UsageError(
            f"The workspace {workspace} holds sii's own folder {home}, with your key and your "
            "recordings: work in a directory without it (--workspace DIR), or move it elsewhere."
        )


def _all_tools(chosen: tuple[str, ...] | None, image: str, *, works: bool) -> tuple[str, ...]:
    """Return the chosen tools, or all that the image has. A command that runs none gets nothing."""
    if chosen is None and not works:
        return ()
    from tools.registry import default_tools  # slow to import: not before the settings are checked

    check_tools(chosen or (), "tools")
    return chosen or default_tools(image)


def _variable(text: str, env: Mapping[str, str], source: str) -> str:
    """Return NAME=VALUE; a bare NAME gets the value that it has here. Raises `UsageError`."""
    if "=" in text:
        return text
    if text not in env:
        raise UsageError(f"{source}: the variable {text} is not set, so it cannot be passed on.")
    return f"{text}={env[text]}"


def _check_data(values: dict[str, Any], source: str, env: Mapping[str, str]) -> None:
    """Raise `UsageError` for a data set that the home does not have as it was added, or that a
    session could change.
    """
    from sii_cli.data_sets.data_set import DATA_PLACE, first_change
    from sii_cli.data_sets.registry import check_outside, find_data_sets

    try:
        data_sets = find_data_sets(values["key_home"], values["data"])
        for one in data_sets:
            check_outside(Path(one.path), users_homes(env))
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    workspace = real_path(values["workspace"])
    for one in data_sets:
        path = Path(one.path)
        if path.is_relative_to(workspace) or workspace.is_relative_to(path):
            raise UsageError(
                f"{source}: the session could change the data set {one.name}, because {path} and "
                f"the workspace {workspace} are in each other: work in another directory."
            )
    for mount in values.get("mounts", ()):
        target = f"/{mount.rpartition(':/')[2]}"
        if target == DATA_PLACE or target.startswith(f"{DATA_PLACE}/"):
            raise UsageError(
                f"--mount {mount}: {target} is where data sets are shown: choose another place."
            )
    if why := first_change(data_sets):
        raise UsageError(f"{source}: {why}")


def _check_together(
    values: dict[str, Any], sources: dict[str, str], env: Mapping[str, str]
) -> None:
    provider = values.get("search_provider", DEFAULT_SEARCH)
    needs = {"url": "searxng_url", "key": "search_key"}.get(SEARCH_PROVIDERS[provider].needs)
    if needs is not None and values.get(needs) is None:
        where = sources["search_provider"]
        raise UsageError(f"{where}: search_provider is {provider}, but {needs} is not set.")
    mounts = values.get("mounts", ())
    homes = [real_path(home) for home in users_homes(env)] if mounts else []
    for mount in mounts:
        source = mount.rpartition(":/")[0]
        if home := next((one for one in homes if one.is_relative_to(source)), None):
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
