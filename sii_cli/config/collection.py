"""The table `[collection]` of a home's `config.toml`: the goal, and what its sessions share."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recordings.pins import PINNED
from recordings.storage.files import failure
from recordings.storage.opening import OpenFolder
from sandbox.docker.sii_images import image_of
from sii_cli.config.settings import COLLECTION, CONFIG_FILE
from sii_cli.errors import UsageError

_LONGEST_PIN = 1000
"""Characters: what a recording from elsewhere says must not make the file too long to be read."""


def collection_values(path: Path, table: Any) -> dict[str, Any]:
    """Return `goal` and `pins` of the table in a file. Raises `UsageError`."""
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
    if "image" in pins:  # as settings have it, so that a short name can be pinned
        pins = pins | {"image": image_of(pins["image"])}
    return {"goal": goal, "pins": pins}


def write_pins(home: Path, pins: Mapping[str, str]) -> None:
    """Add the pins at the end of a home's file. Raises `UsageError`, `RecordingFailed`."""
    path = home / CONFIG_FILE
    if name := next((name for name, value in pins.items() if len(value) > _LONGEST_PIN), None):
        raise UsageError(f"Its {name} has more than {_LONGEST_PIN:,} characters: pin another.")
    before = path.read_text("utf-8") if path.exists() else ""
    # A JSON string of characters in ASCII is a TOML string.
    lines = [f"{name} = {json.dumps(value)}" for name, value in pins.items()]
    text = "\n".join([before.rstrip("\n"), "", f"[{COLLECTION}.pins]", *lines, ""]).lstrip("\n")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} cannot take the pins at its end ({error}): edit it.") from None
    draft = f".{CONFIG_FILE}.new"
    try:
        with OpenFolder(home) as folder:
            folder.remove(draft)  # left by a killed process
            with open(folder.create(draft), "wb") as file:  # readable by the user alone
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            folder.rename(draft, CONFIG_FILE)
            folder.sync()
    except OSError as error:
        raise failure(path, error) from error
