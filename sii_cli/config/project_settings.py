"""A project's file of settings: all of it counts once the user trusts it, else what is stricter.

The model or the author of a cloned repository may write this file. It is trusted by the hash of
its content and of the system prompt that it names: a change asks again.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.trust.grants import grant, is_granted
from recordings.trust.key_files import HomeKeyUnusable
from sii_cli.config.project_text import read_project_text, text_sha256
from sii_cli.config.settings import CONFIG_FILE, PROJECT_FOLDER, SETTING_FIELDS, Settings, Stricter
from sii_cli.config.values import Source, check_place, check_tools, check_value
from sii_cli.errors import UsageError
from sii_cli.trust.requirements import Requirement

LARGEST = 8 << 10
"""Bytes: TOML's reader needs the square of a long key's time."""
_STRICTER: dict[str, Stricter] = {
    field.name: field.metadata["stricter"]
    for field in SETTING_FIELDS
    if field.metadata["stricter"] is not None
}
_REFUSED = "left aside: "
"""Before the name of a file that the user does not trust."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What a project's file says, as far as it can be read."""

    path: Path
    values: Mapping[str, Any]
    """Checked."""
    sha256: str
    prompt_sha256: str | None
    """Of the system prompt that it names."""
    mistakes: tuple[str, ...]

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Its settings that are not simply stricter, to be shown before it is trusted."""
        return tuple(
            Requirement("settings", f"{name} = {_shown(value)}")
            for name, value in self.values.items()
            if not _is_stricter(name, value, Settings.__dataclass_fields__[name].default)
        )


def find_project_file(workspace: Path, home: Path) -> ProjectFile | None:
    """Read the file of a workspace; None when there is none. What is wrong with it is data."""
    path = workspace / PROJECT_FOLDER / CONFIG_FILE
    if not os.path.lexists(path) or _is_same(path.parent, home):
        return None
    mistakes: list[str] = []
    text, raw = "", {}
    try:
        text = read_project_text(path, LARGEST)
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{path} cannot be read ({error})")
    except UNPARSABLE as error:
        mistakes.append(f"{path} is not valid TOML ({why_unparsable(error)})")
    values, prompt = {}, None
    source = Source("project", raw, path.parent, path)
    for name, value in raw.items():
        try:
            check_place(source, name)
            values[name] = check_value(source, name, value)
            if name == "tools":
                check_tools(values[name], str(path))
            if name == "system_prompt":
                prompt = _prompt_sha256(values[name])
        except UsageError as error:
            values.pop(name, None)
            mistakes.append(str(error).rstrip("."))
    said = hashlib.sha256(f"{prompt or ''}\0{text}".encode()).hexdigest()
    return ProjectFile(path, values, said, prompt, tuple(mistakes))


def is_trusted(home: Path, project: ProjectFile) -> bool:
    """Tell whether the user trusts what the file says. Raises `HomeKeyUnusable`."""
    return is_granted(home, "project_settings", _name(project), project.sha256)


def is_refused(home: Path, project: ProjectFile) -> bool:
    """Tell whether the user has said that it is to be ignored. Raises `HomeKeyUnusable`."""
    return is_granted(home, "project_settings", _REFUSED + _name(project), project.sha256)


def trust(home: Path, project: ProjectFile, *, answer: bool) -> None:
    """Keep the user's word. Raises `HomeKeyUnusable`, `RecordingFailed`."""
    name = _name(project) if answer else _REFUSED + _name(project)
    grant(home, "project_settings", name, project.sha256)


def trusted_source(home: Path, project: ProjectFile | None) -> Source | None:
    """Return the file as a source of settings; None when it is not trusted."""
    if project is None:
        return None
    try:
        trusted = is_trusted(home, project)
    except HomeKeyUnusable:  # reported by what needs the key; without it nothing is trusted
        trusted = False
    return Source("project", project.values, project.path.parent, project.path) if trusted else None


def stricter_values(project: ProjectFile, set_by_user: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an untrusted file sets: what nobody set, and stricter than the default."""
    return {
        name: value
        for name, value in project.values.items()
        if name not in set_by_user
        and _is_stricter(name, value, Settings.__dataclass_fields__[name].default)
    }


def notes_about(project: ProjectFile, *, trusted: bool) -> tuple[str, ...]:
    """Say what of the file is ignored, and the remedy."""
    notes = [f"{mistake}: ignored." for mistake in project.mistakes[:3]]
    if project.requirements and not trusted:
        names = ", ".join(one.value.partition(" = ")[0] for one in project.requirements)
        notes.append(
            f"{project.path} is not trusted yet; ignored: {names} (`sii config --trust` shows "
            "and trusts it)."
        )
    return tuple(notes)


def _is_stricter(name: str, value: Any, than: Any) -> bool:
    match _STRICTER.get(name):
        case "lower":
            return than is None or bool(value <= than)
        case "fewer":
            return bool(value)  # by default all are there
        case "on":
            return value is True
        case None:
            return False


def _prompt_sha256(path: Path) -> str:
    """Raises `UsageError` when the prompt cannot be read."""
    try:
        return text_sha256(read_project_text(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The system prompt {path} cannot be read ({error}).") from error


def _name(project: ProjectFile) -> str:
    return os.path.realpath(project.path)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, Path):
        text = str(value)
    elif isinstance(value, tuple):
        text = ", ".join(value)
    return text or "(empty)"


def _is_same(folder: Path, home: Path) -> bool:
    try:
        return os.path.samefile(folder, home)
    except OSError:
        return False
