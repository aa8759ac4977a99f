"""What each session of a batch is made of: its workspace, its settings, its description."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recordings.events import SessionStart
from recordings.store.workspaces import last_snapshot
from sandbox.docker.sii_images import image_of
from sandbox.snapshots import SnapshotError
from sii_cli.batch.plan.plan import Attempt, BatchPlan, workspace_name
from sii_cli.batch.sessions.served_model import KnownModels
from sii_cli.config.homes import users_homes
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import Query
from sii_cli.queries.requirements import requirements_of
from sii_cli.queries.workspaces.copies import make_workspace
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable
from sii_cli.queries.workspaces.workspace_sources import (
    find_kept_folders,
    open_source,
    source_of,
    why_forbidden,
)
from sii_cli.session.events import QueryOrigin
from sii_cli.trust.requirements import Grants, not_granted
from sii_cli.workspace.history import snapshot_store

WORKSPACES = "workspaces"


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What the sessions of a batch are put together from; can be sent to another machine."""

    settings: Settings
    """`home` is the batch's folder."""
    plan: BatchPlan
    served: KnownModels = field(default_factory=dict)
    """The models that answered the sessions so far."""

    @property
    def workspaces(self) -> Path:
        """Folder of the sessions' copies of their workspaces."""
        return self.settings.home / WORKSPACES

    def make_workspace(self, query: Query) -> Path:
        """Return a new copy of a query's workspace. Blocks.

        Raises `WorkspaceUnavailable`, also when the query requires what was not granted: a path
        may lead elsewhere since the batch was opened.
        """
        kept = find_kept_folders(users_homes(os.environ))
        source = source_of(query, Path(self.plan.query_folder), kept)
        why = why_forbidden(query, source, kept)
        left = not_granted(
            requirements_of(query, source, self.settings), Grants(requirements=self.plan.granted)
        )
        if why or left:
            why = why or f"{left[0].value} was not allowed when the batch began."
            raise WorkspaceUnavailable(f"The workspace of {query.id} cannot be made: {why}")
        try:
            with open_source(query, source) as (opened, base):
                return make_workspace(opened, base, self.workspaces, self.settings.disk)
        except OSError as error:
            raise WorkspaceUnavailable(
                f"The workspace of {query.id} cannot be made: {error.strerror}."
            ) from error

    def kept_workspace(self, folder: Path, start: SessionStart) -> Path:
        """Return the workspace of a parked session; one that is gone is written again, as its last
        snapshot has it. Blocks. Raises `WorkspaceUnavailable`, `RecordingError`.
        """
        kept = self.workspaces / workspace_name(start.workspace)
        if kept.is_dir() and not kept.is_symlink():
            return kept
        last, _ = last_snapshot(folder)
        if last is None:
            raise WorkspaceUnavailable(
                f"The workspace {kept} of {folder.name} is gone, and the recording has no snapshot "
                f"of it: `sii inbox done {folder.name}` ends the session as it is."
            )
        try:
            self.workspaces.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=f"{start.query}-", dir=self.workspaces))
            with closing(snapshot_store(self.settings.home)) as store:
                store.write_tree(last.tree, new)
            new.rename(kept)
        except (SnapshotError, OSError) as error:
            raise WorkspaceUnavailable(
                f"The workspace of {folder.name} cannot be restored: {error}"
            ) from error
        return kept

    def settings_of(self, attempt: Attempt, workspace: Path) -> Settings:
        """Return a session's settings: the batch's, then the query's, then the variant's."""
        query, own = attempt.query, self.settings
        changes: dict[str, Any] = {"workspace": workspace}
        if query.image:
            changes["image"] = image_of(query.image)
        for name in ("allow_net", "setup"):
            if value := getattr(query, name):
                changes[name] = value
        if query.data:
            changes["data"] = tuple(dict.fromkeys((*own.data, *query.data)))
        if query.tools:
            left = tuple(name for name in query.tools if name in own.tools)
            changes["tools"] = left or own.tools  # no name at all would stand for every tool
        if query.env:
            changes["env"] = (*own.env, *(f"{k}={v}" for k, v in query.env.items()))
        if query.limits.steps is not None:
            changes["max_steps"] = min(query.limits.steps, own.max_steps)
        if query.limits.output is not None:
            changes["output_size"] = min(query.limits.output, own.output_size)
        if own.seed is not None:  # each attempt is another sample, and can be repeated
            changes["seed"] = own.seed + attempt.number - 1
        return replace(own, **(changes | attempt.variant))

    def about(self, attempt: Attempt) -> QueryOrigin:
        """Return what a session's recording says of its query."""
        query = attempt.query
        return QueryOrigin(
            query=query.id,
            batch=self.plan.name,
            attempt=attempt.number,
            variant=attempt.variant,
            author=query.author,
            source=query.source,
            license=query.license,
            rubric=query.rubric,
            tags=list(query.tags),
        )
