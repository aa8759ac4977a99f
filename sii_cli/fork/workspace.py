"""Where a fork works: in a directory of its own, with the files as they were at the event."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sii_cli.config.settings import find_home
from sii_cli.errors import UsageError

if TYPE_CHECKING:
    from recordings.events import Snapshot

_NAMED = 5


@dataclass(frozen=True, slots=True)
class ForkWorkspace:
    """The directory that a fork works in, and what its files are."""

    path: str
    files: str
    """What its files are, in words."""
    warnings: tuple[str, ...] = ()
    snapshot: Snapshot | None = None
    """Of what was written for the fork."""


def place_workspace(
    parent: Path, seq: int, fork: str, wanted: Path | None, recorded: str | None
) -> ForkWorkspace:
    """Write the workspace of `parent` after event `seq` where the fork `fork` will work.

    That is the directory `wanted`, if it is new or empty, or one of the fork's own. A directory
    that holds files is taken as it is; so is the `recorded` one where no snapshot was taken
    (None: the recording is foreign, so it is not used).
    Raises `UsageError`, `SnapshotError`, `RecordingError`.
    """
    from recordings.store.workspaces import workspace_at
    from sii_cli.workspace.history import forks_folder

    if wanted is not None and _holds_files(wanted):
        return ForkWorkspace(str(wanted), "as they are now, not as they were then")
    if workspace_at(parent, seq) is None:
        if wanted is not None and not wanted.is_dir():
            raise UsageError(
                f"{parent.name} holds no snapshot of its workspace, and {wanted} is not there: "
                "give --workspace a directory with the files to use."
            )
        where = wanted or recorded
        if where is None:
            raise UsageError(
                f"{parent.name} holds no snapshot of its workspace, and this home cannot prove "
                "that it made it: give --workspace a directory with the files to use."
            )
        warnings = (
            ()
            if Path(where).is_dir()
            else (f"{where} is not there: use --workspace DIR, or make it first.",)
        )
        return ForkWorkspace(str(where), "as they are now: no snapshot was taken then", warnings)
    forks = forks_folder(find_home(os.environ))
    if wanted is None and forks.is_symlink():
        raise UsageError(
            f"{forks} is a link, and nothing is written through it: remove it, or give --workspace "
            "a new directory."
        )
    target = wanted or forks / fork / "workspace"
    return _materialise(parent, seq, target)


def _materialise(parent: Path, seq: int, target: Path) -> ForkWorkspace:
    from recordings.events import Snapshot
    from recordings.store.collection import home_of
    from sandbox.snapshots import SnapshotNotFound, quoted
    from sii_cli.workspace.history import materialise

    try:
        at, restored = materialise(parent, seq, target, home_of(parent))
    except SnapshotNotFound as error:
        raise UsageError(
            f"The workspace of that moment is lost ({error}) Give --workspace a directory with the "
            "files to use."
        ) from error
    warnings = []
    if not at.exact:
        warnings.append(
            f"Event {seq} is within a step, or no snapshot was taken after it: the "
            f"files are as they were after step {at.step}."
        )
    if restored.missing:
        named = ", ".join(quoted(change.path) for change in restored.missing[:_NAMED])
        warnings.append(f"Not in the snapshot ({len(restored.missing)}): {named}.")
    snapshot = Snapshot(step=at.step, cause="fork", tree=restored.tree_sha256, seconds=0.0)
    return ForkWorkspace(str(target), "as they were then", tuple(warnings), snapshot)


def _holds_files(folder: Path) -> bool:
    try:
        return any(os.scandir(folder))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}.") from error
