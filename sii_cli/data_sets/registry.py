"""The data sets that a home has: one JSON file each in its folder `data`."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from recordings.errors import MALFORMED
from recordings.storage.files import replace_file
from recordings.storage.opening import OpenFolder, read_file
from sandbox.snapshots.content import content_of
from sandbox.snapshots.errors import SnapshotError
from sii_cli.data_sets.data_set import DataSet
from sii_cli.errors import UsageError
from sii_cli.text.sanitise import without_surrogates

FOLDER = "data"
"""The folder of a home with what it knows of its data sets; their content stays where it is."""
_ENDING = ".json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LARGEST = 1 << 20
MOST_TEXT = 2000
"""Characters of a description or a licence: the model reads them."""


def add_data_set(
    home: Path,
    name: str,
    path: Path,
    *,
    homes: Iterable[Path] = (),
    license_name: str | None = None,
    description: str = "",
    replaces: bool = False,
) -> DataSet:
    """Read all of a folder or a file, and add it to a home under a name. Blocks.

    `homes` are all homes of the user, which no sandbox may see.
    Raises `UsageError`, `RecordingFailed`.
    """
    _check_name(name)
    real = Path(os.path.realpath(path.expanduser()))
    for text in (license_name or "", description):
        if len(text) > MOST_TEXT:
            raise UsageError(f"A licence and a description have at most {MOST_TEXT:,} characters.")
    if without_surrogates(told := f"{real}{license_name}{description}") != told:
        raise UsageError("The path, the licence or the description is not text in UTF-8.")
    if not replaces and name in names_of(home):
        raise UsageError(f"There is a data set {name} already: say --replace, or another name.")
    check_outside(real, (home, *homes))
    if not (real.is_dir() or real.is_file()):
        raise UsageError(f"There is no folder or file {path} to add.")
    try:
        content = content_of(real)
    except OSError as error:
        raise UsageError(f"{error.filename or real} cannot be read: {error.strerror}.") from error
    except SnapshotError as error:
        raise UsageError(str(error)) from error
    if not content.files:
        raise UsageError(f"{real} holds no file.")
    data_set = DataSet(
        name=name,
        path=str(real),
        sha256=content.sha256,
        files=content.files,
        size=content.size,
        stamp=content.stamp,
        added=time.time(),
        is_file=real.is_file(),
        license=license_name or None,
        description=description,
    )
    keep_data_set(home, data_set)
    return data_set


def check_outside(path: Path, homes: Iterable[Path]) -> None:
    """Raise `UsageError` for a path that holds a home, or is in one."""
    for home in homes:
        real = Path(os.path.realpath(home))
        if real.is_relative_to(path) or path.is_relative_to(real):
            raise UsageError(
                f"{path} would show sii's own folder {home}, with your key and your recordings: "
                "keep the data set in a folder of its own."
            )


def keep_data_set(home: Path, data_set: DataSet) -> None:
    """Write what a home knows of a data set. Raises `RecordingFailed`."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(asdict(data_set), indent=2).encode() + b"\n"
    replace_file(folder, data_set.name + _ENDING, text)


def names_of(home: Path) -> list[str]:
    """Return the names of a home's data sets, in order. Raises `UsageError`."""
    try:
        with OpenFolder(home, FOLDER) as folder:
            names = [name.removesuffix(_ENDING) for name in folder.names() if _is_one(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"{home / FOLDER} cannot be read: {error.strerror}.") from error
    return sorted(names)


def find_data_set(home: Path, name: str) -> DataSet:
    """Return what a home knows of a data set. Raises `UsageError` where it has none."""
    _check_name(name)
    try:
        text = read_file(home, FOLDER, name + _ENDING, most=_LARGEST)
        found = TypeAdapter(DataSet).validate_json(text, strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"There is no data set {name} in {home}: `sii data add {name} PATH` adds it, "
            "`sii data list` lists those that are there."
        ) from None
    except OSError as error:
        raise UsageError(f"The data set {name} cannot be read: {error.strerror}.") from error
    except MALFORMED as error:
        raise UsageError(
            f"{home / FOLDER / name}{_ENDING} is damaged: add the data set again with "
            f"`sii data add {name} PATH --replace`."
        ) from error
    return found


def find_data_sets(home: Path, names: Iterable[str]) -> tuple[DataSet, ...]:
    """Return data sets by their names, each once. Raises `UsageError`."""
    return tuple(find_data_set(home, name) for name in dict.fromkeys(names))


def remove_data_set(home: Path, name: str) -> None:
    """Remove a data set from a home; its content stays where it is. Raises `UsageError`."""
    if name not in names_of(home):
        raise UsageError(f"There is no data set {name} in {home}: `sii data list` lists them.")
    file = name + _ENDING
    try:
        with OpenFolder(home, FOLDER) as folder:
            folder.remove(file)
    except OSError as error:
        path = home / FOLDER / file
        raise UsageError(f"{path} cannot be removed: {error.strerror}.") from error


def _is_one(file: str) -> bool:
    return file.endswith(_ENDING) and _NAME.fullmatch(file.removesuffix(_ENDING)) is not None


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            "The name of a data set is a letter or digit, then up to 63 letters, digits, dots, "
            f"hyphens or underscores: {name[:80]!r} is not one."
        )
