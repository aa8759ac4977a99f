"""Options to go on with a recorded session, and finding it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sii_cli.errors import UsageError


def resume_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--continue` and `--resume`."""
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


def find_resumed(go_on: bool, ref: str | None, flags: dict[str, Any]) -> Path | None:
    """Return the folder of the recording to go on with; its workspace becomes the session's.

    Raises `UsageError`, `RecordingError`.
    """
    if not go_on and ref is None:
        return None
    if go_on and ref is not None:
        raise UsageError("Say --continue or --resume ID, not both.")
    from recordings.restore import restore
    from recordings.store import LAST, RecordingStore
    from sii_cli.config import find_recordings

    folder = RecordingStore(find_recordings(os.environ)).resolve(ref or LAST)
    if flags.get("workspace") is None:
        flags["workspace"] = restore(folder).workspace
    return folder
