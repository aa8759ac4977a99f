"""Resumes a session whose directory is gone in a fork of it, where the user agrees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from sii_cli.config.settings import find_home
from sii_cli.options.recordings import find_one
from sii_cli.options.resume import WorkspaceGone, find_resumed

if TYPE_CHECKING:
    from sii_cli.session.resume import ResumedRecording

_QUESTION = "{what}. Continue in a fork, with its last files in a directory of its own?"


def find_resumed_or_fork(flags: dict[str, Any], *, by_human: bool) -> ResumedRecording | None:
    """Return the recording to resume, as `find_resumed` does, or a fork of it.

    Raises what `find_resumed` raises; `WorkspaceGone` where the user does not want a fork.
    """
    try:
        return find_resumed(flags, by_human=by_human)
    except WorkspaceGone as gone:
        if not by_human or not click.confirm(_QUESTION.format(what=gone.what), err=True):
            raise
        return _fork(gone, flags)


def _fork(gone: WorkspaceGone, flags: dict[str, Any]) -> ResumedRecording:
    from sii_cli.fork.making import make_fork
    from sii_cli.session.resume import ResumedRecording
    from sii_cli.workspace.history import copy_snapshots, keeping_snapshots

    home = find_home(os.environ)
    with keeping_snapshots(home):
        copy_snapshots(gone.folder, gone.restored.seq, home)
        name, placed = make_fork(gone.folder, gone.restored, None, is_own=True)
    flags["workspace"] = placed.path
    click.echo(f"{name} works in {placed.path}; its files are {placed.files}.", err=True)
    return ResumedRecording(find_one(name))
