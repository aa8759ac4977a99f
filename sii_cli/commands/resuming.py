"""Options to go on with a recorded session, and finding it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sii_cli.errors import UsageError


def resume_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--continue`, `--resume` and `--restore`."""
    function = click.option(
        "--restore",
        "bring_back",
        is_flag=True,
        help="Going on: bring the workspace back to its last snapshot first.",
    )(function)
    function = click.option(
        "-r",
        "--resume",
        "ref",
        metavar="ID",
        help="Go on with this recording (or `last`); a round that was left open goes on by itself.",
    )(function)
    return click.option(
        "-c", "--continue", "go_on", is_flag=True, help="Go on with the last recording."
    )(function)


def find_resumed(
    go_on: bool, ref: str | None, flags: dict[str, Any], *, bring_back: bool = False
) -> Path | None:
    """Return the folder of the recording to go on with; its workspace becomes the session's.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    if not go_on and ref is None:
        if bring_back:
            raise UsageError("--restore goes with --continue or --resume ID.")
        return None
    if go_on and ref is not None:
        raise UsageError("Say --continue or --resume ID, not both.")
    from recordings.restore import restore
    from recordings.store import LAST, RecordingStore
    from recordings.workspace import last_settled
    from sii_cli.commands.recorded import complain, warn_when_void
    from sii_cli.config import find_recordings

    folder = RecordingStore(find_recordings(os.environ)).resolve(ref or LAST)
    warn_when_void(folder)
    if bring_back and flags.get("workspace") is not None:
        raise UsageError(
            "--restore brings back the recorded workspace: leave --workspace away (`sii fork` "
            "writes the files elsewhere)."
        )
    if flags.get("workspace") is None:
        flags["workspace"] = _still_there(restore(folder).workspace)
    if bring_back:
        from sii_cli.commands.bringing_back import bring_workspace_back

        bring_workspace_back(folder, flags)
    elif last_settled(folder)[1]:
        complain(
            "Bringing an earlier state of the workspace back was interrupted, so its files may "
            "stand in between: --restore brings them back as they were left before."
        )
    return folder


def _still_there(workspace: str) -> str:
    """Return the recorded workspace. Raises `UsageError` when it has become a link.

    It was recorded without links, and what works in a directory above it can put one there.
    """
    now = os.path.realpath(workspace)
    if now != workspace:
        raise UsageError(
            f"The recorded workspace {workspace} leads to {now} by now: if that is meant, say "
            f"--workspace {now}."
        )
    return workspace
