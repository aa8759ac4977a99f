"""Continues a session that a reviewer sent back, in a fork from before the step that was wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

from recordings.errors import RecordingError
from recordings.events import SentBack, Snapshot
from recordings.storage.log import recording_hash
from recordings.store.collection import home_of
from recordings.store.workspaces import workspace_at
from sandbox.snapshots import SnapshotError
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sent_back_step import SentBackStep
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.queries.workspaces.copies import remove_workspace
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable
from sii_cli.session.fork_in_place import fork_in_place
from sii_cli.session.resume import ResumedRecording
from sii_cli.workspace.history import copy_snapshots, keeping_snapshots, materialise


def make_continuation(
    parts: SessionParts, attempt: Attempt, step: SentBackStep
) -> tuple[Path, ResumedRecording]:
    """Fork a session into the batch, in a workspace with its files of before the step. Blocks.

    Raises `WorkspaceUnavailable`.
    """
    parent = Path(step.folder)
    try:
        if recording_hash(parent) != step.sha256:
            raise WorkspaceUnavailable(f"{parent.name} changed since it was sent back.")
        if workspace_at(parent, step.files_at) is None:
            raise WorkspaceUnavailable(
                f"{parent.name} has no snapshot of its workspace, so it cannot be continued."
            )
        parts.workspaces.mkdir(mode=0o700, parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=f"{attempt.query.id}-", dir=parts.workspaces))
        try:
            return workspace, _fork(parts, attempt, step, workspace)
        except BaseException:
            remove_workspace(workspace)
            raise
    except (RecordingError, SnapshotError, OSError) as error:
        raise WorkspaceUnavailable(
            f"{parent.name} cannot be continued: {str(error).rstrip('.')}."
        ) from error


def _fork(
    parts: SessionParts, attempt: Attempt, step: SentBackStep, workspace: Path
) -> ResumedRecording:
    parent, settings = Path(step.folder), parts.settings_of(attempt, workspace)
    why = SentBack(
        by=step.by,
        step=step.step,
        batch=parts.plan.name,
        attempt=attempt.number,
        variant=attempt.variant,
    )
    with keeping_snapshots(settings.home):
        copy_snapshots(parent, step.files_at, settings.home)
        at, files = materialise(parent, step.files_at, workspace, home_of(parent))
        snapshot = Snapshot(step=at.step, cause="fork", tree=files.tree_sha256, seconds=0.0)
        return fork_in_place(settings, parent, step.at, why, snapshot)
