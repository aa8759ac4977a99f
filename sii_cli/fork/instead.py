"""Resumes a session whose directory is gone in a fork of it, where the user agrees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from sii_cli.config.settings import find_home
from sii_cli.options.recordings import find_one
from sii_cli.options.resume import ResumeRequest, WorkspaceGone, settle

if TYPE_CHECKING:
    from recordings.conversation.checked import CheckedConversation
    from sii_cli.session.resume import ResumedRecording

_QUESTION = "{what}. Continue in a fork, with its last files in a directory of its own?"


def settle_or_fork(
    request: ResumeRequest, checked: CheckedConversation, flags: dict[str, Any]
) -> ResumedRecording:
    """Return the recording to resume, as `settle` does, or a fork of it.

    Raises what `settle` raises; `WorkspaceGone` where the user does not want a fork.
    """
    try:
        return settle(request, checked, flags)
    except WorkspaceGone as gone:
        if not request.by_human or not click.confirm(_QUESTION.format(what=gone.what), err=True):
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
