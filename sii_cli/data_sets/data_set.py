"""A data set of a home: where it is, what it holds, and whether it still holds that."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.protocol import Mount, SandboxError

DATA_PLACE = "/data"
"""Where the data sets of a session are inside its sandbox."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a home knows of a data set. The fields are those of its file in the home."""

    name: str
    path: str
    """Absolute, without links."""
    sha256: str
    """Of its content (`sandbox.snapshots.content`)."""
    files: int
    size: int
    stamp: str
    """Of its sizes, times and inodes, by which a change is seen."""
    added: float
    """Seconds since the epoch."""
    is_file: bool = False
    license: str | None = None
    description: str = ""

    @property
    def place(self) -> str:
        """Its path inside a sandbox; a file keeps its name, by which its format is known."""
        place = f"{DATA_PLACE}/{self.name}"
        return posixpath.join(place, Path(self.path).name) if self.is_file else place

    @property
    def mount(self) -> Mount:
        """How a sandbox shows it."""
        return Mount(Path(self.path), self.place)


def why_changed(data_set: DataSet) -> str | None:
    """Return a sentence with the remedy if a data set is not what was added, or `None`. Blocks."""
    from sandbox.snapshots.content import stamp_of  # slow, and most sessions have no data set

    name, path = data_set.name, data_set.path
    again = f"`sii data add {name} PATH --replace` adds it as it is now"
    try:
        if stamp_of(Path(path)) == data_set.stamp:
            return None
    except FileNotFoundError:
        return f"The data set {name} is not at {path} any more: put it back, or {again}."
    except (OSError, SandboxError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        return f"The data set {name} at {path} cannot be read: {why}."
    return f"The data set {name} at {path} has changed since it was added: {again}."


def first_change(data_sets: Iterable[DataSet]) -> str | None:
    """Return what `why_changed` says of the first data set that changed, or `None`. Blocks."""
    return next(filter(None, map(why_changed, data_sets)), None)
