"""The table `[collection]` of a home's `config.toml`: the goal, and what its sessions share."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.pins import PINNED
from recordings.storage.opening import read_named
from sii_cli.config.project_text import LARGEST
from sii_cli.config.settings import COLLECTION, CONFIG_FILE
from sii_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """What a home says of its collection."""

    goal: int | None = None
    """Approved trajectories that are wanted."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """By name (`PINNED`): what every session is to share."""


def collection_settings(home: Path) -> CollectionSettings:
    """Read the table of a home; without one nothing is set. Raises `UsageError`."""
    path = home / CONFIG_FILE
    try:
        table = tomllib.loads(read_named(path, LARGEST).decode()).get(COLLECTION, {})
    except (FileNotFoundError, NotADirectoryError):
        return CollectionSettings()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except UNPARSABLE as error:
        raise UsageError(f"{path} is not valid TOML: {why_unparsable(error)}.") from error
    return _checked(path, table)


def _checked(path: Path, table: Any) -> CollectionSettings:
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{COLLECTION}] is not a table.")
    if unknown := next((name for name in table if name not in ("goal", "pins")), None):
        raise UsageError(f"{path}: [{COLLECTION}] has no {unknown!r}; it has goal and pins.")
    goal, pins = table.get("goal"), table.get("pins", {})
    if goal is not None and (isinstance(goal, bool) or not isinstance(goal, int) or goal < 1):
        raise UsageError(f"{path}: goal wants a whole number of at least 1.")
    if not isinstance(pins, dict) or any(not isinstance(one, str) for one in pins.values()):
        raise UsageError(f"{path}: [{COLLECTION}.pins] wants a text for each name.")
    if unknown := next((name for name in pins if name not in PINNED), None):
        raise UsageError(f"{path}: {unknown!r} cannot be pinned; {', '.join(PINNED)} can.")
    return CollectionSettings(goal, pins)
