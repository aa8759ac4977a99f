"""What a recorded session changed in its workspace, as text."""

from __future__ import annotations

from pathlib import Path

from recordings.store.collection import home_of
from sandbox.snapshots import FileDiff, SnapshotNotFound
from sii_cli.errors import SiiError
from sii_cli.workspace.history import snapshot_store


async def diffs_between(folder: Path, before: str, after: str) -> tuple[FileDiff, ...]:
    """Return the changes between two trees of a recording's workspace.

    Raises `SiiError` when the store of its home does not have them, and other `SnapshotError`.
    """
    store = snapshot_store(home_of(folder))
    try:
        return await store.diff(before, after)
    except SnapshotNotFound as error:
        raise SiiError(
            f"The files of that moment are not here ({error}) A recording that was moved needs the "
            "folder `snapshots` of its home beside `recordings`; `sii diff --stat` needs none."
        ) from None
    finally:
        store.close()
