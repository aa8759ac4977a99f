"""Finds every mistake in queries, of a file or of a batch's folder, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.network.hosts import AllowList
from sii_cli.config.homes import users_homes
from sii_cli.config.settings import Settings, find_key_home
from sii_cli.data_sets.data_set import first_change
from sii_cli.data_sets.registry import find_data_sets, names_of
from sii_cli.errors import UsageError
from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.queries.query_files import Mistake, read_query_file
from sii_cli.queries.workspaces.archive_check import ArchiveChecks
from sii_cli.queries.workspaces.copies import workspace_fault
from sii_cli.queries.workspaces.errors import SourceRefused
from sii_cli.queries.workspaces.git_objects import holds, opened
from sii_cli.queries.workspaces.repositories import is_remote, local_path
from sii_cli.queries.workspaces.workspace_sources import (
    KeptFolders,
    WorkspaceSource,
    find_kept_folders,
    sources_of,
    why_forbidden,
)
from tools.registry import ALL_TOOLS

Sources = Sequence[WorkspaceSource | None]
"""Where the workspaces of queries lie, in the order of the queries."""


@dataclass(frozen=True, slots=True)
class ValidatedFile:
    """A query file, and what it names."""

    path: Path
    queries: tuple[Query, ...]
    sources: Sources
    mistakes: tuple[Mistake, ...]


def validate(path: Path) -> ValidatedFile:
    """Read a query file and check what it names: tools, and what of workspaces is in its folder.

    What lies elsewhere is not read: that needs a grant. Blocks.
    Raises `UsageError` when there is nothing to read.
    """
    read = read_query_file(path)
    kept = find_kept_folders(users_homes(os.environ))
    sources = tuple(sources_of(read.queries, path.parent, kept))
    archives = ArchiveChecks()
    data_sets = names_of(find_key_home(os.environ))
    found = [
        Mistake(line, text)
        for query, line, source in zip(read.queries, read.lines, sources, strict=True)
        for text in _faults(query, path.parent, source, kept, archives, data_sets)
    ]
    mistakes = sorted([*read.mistakes, *found], key=lambda mistake: mistake.line)
    return ValidatedFile(read.path, read.queries, sources, tuple(mistakes))


def allowed_sources(queries: Sequence[Query], base: Path) -> Sources:
    """Return where the workspaces of queries lie that were validated before, on some machine.

    Raises `UsageError` for a workspace that no query may have.
    """
    kept = find_kept_folders(users_homes(os.environ))
    sources = tuple(sources_of(queries, base, kept))
    for query, source in zip(queries, sources, strict=True):
        if why := why_forbidden(query, source, kept):
            raise UsageError(f"{query.id}: workspace: {why}")
    return sources


def check_outside(queries: Sequence[Query], sources: Sources, base: Path) -> None:
    """Raise `UsageError` for a missing workspace outside the queries' folder, after its grant."""
    for query, source in zip(queries, sources, strict=True):
        if source is not None and not source.inside and (fault := workspace_fault(query, base)):
            raise UsageError(f"{query.id}: workspace: {fault}")


def check_data(queries: Sequence[Query], own: Settings) -> dict[str, str]:
    """Return the hashes of all data sets of a batch, by name. Blocks.

    Raises `UsageError` for one that the home does not have as it was added.
    """
    names = {name: None for query in queries for name in query.data}
    data_sets = find_data_sets(own.key_home or own.home, (*own.data, *names))
    if why := first_change(data_sets):
        raise UsageError(why)
    return {one.name: one.sha256 for one in data_sets}


def _faults(
    query: Query,
    base: Path,
    source: WorkspaceSource | None,
    kept: KeptFolders,
    archives: ArchiveChecks,
    data_sets: Sequence[str],
) -> Iterator[str]:
    missing = set(query.data) - set(data_sets)
    if missing:
        name = min(missing)
        yield f"data: this home has no data set {name!r}: `sii data add` adds one."
    unknown = [name for name in query.tools if name not in ALL_TOOLS]
    if unknown:
        yield f"tools: there is no {unknown[0]!r}; there are {', '.join(ALL_TOOLS)}."
    try:
        AllowList(query.allow_net)
    except ValueError as error:
        yield f"allow_net: {error}"
    if (fault := why_forbidden(query, source, kept)) is not None:
        yield f"workspace: {fault}"
    elif source is None or not source.inside:
        return
    elif (fault := workspace_fault(query, base)) is not None:
        yield f"workspace: {fault}"
    elif isinstance(query.workspace, GitWorkspace):
        git, commit = query.workspace.git, query.workspace.commit
        if not is_remote(git) and (fault := _commit_fault(local_path(git, base), commit)):
            yield f"workspace: {git}: {fault}."
    elif not source.path.is_dir() and (fault := archives.fault(source.path)) is not None:
        yield f"workspace: {query.workspace}: {fault.rstrip('.')}."


@cache
def _commit_fault(repository: Path, commit: str) -> str | None:
    """Return why a repository does not have a commit, or None. No program runs on it."""
    try:
        with opened(repository) as held:
            return None if holds(held, commit) else f"it has no commit {commit}"
    except (SourceRefused, OSError) as error:
        return str(error)
