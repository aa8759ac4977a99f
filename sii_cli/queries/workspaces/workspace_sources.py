"""Where the workspace of a query comes from: found before it is read, kept open while it is copied.

Paths of a query are relative to its file's folder. Links are followed: their targets count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.queries.workspaces.repositories import is_remote, local_path, path_from

BATCHES = "batches"
POOL = "pool"
WORKSPACES = "workspaces"
_SCHEMES = ("https", "http", "ssh", "git")
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class WorkspaceSource(NamedTuple):
    """Where a workspace lies on this machine."""

    path: Path
    """Real, without links."""
    inside: bool
    """It is in the folder of the query's file."""


class KeptFolders(NamedTuple):
    """Folders that no query may have; real paths."""

    homes: tuple[Path, ...]
    """Of sii."""
    user: Path


def find_kept_folders(homes: Iterable[Path]) -> KeptFolders:
    """Return the folders that no query may have. `homes` are those of sii."""
    user = Path("~").expanduser()
    return KeptFolders(
        tuple(Path(os.path.realpath(home)) for home in homes), Path(os.path.realpath(user))
    )


def source_of(query: Query, base: Path, kept: KeptFolders) -> WorkspaceSource | None:
    """Return where a query's workspace lies; None when it has none, or it is fetched.

    Paths are relative to `base`. Blocks; reads nothing but links.
    """
    match query.workspace:
        case None:
            return None
        case GitWorkspace(git=git):
            if is_remote(git):
                return None
            path = local_path(git, base)
        case name:
            path = path_from(base, name)
    path = Path(os.path.realpath(path))
    folder = Path(os.path.realpath(base))
    own = not kept.user.is_relative_to(folder)  # a file in ~ does not make all of ~ its own
    return WorkspaceSource(path, own and path.is_relative_to(folder))


def sources_of(
    queries: Iterable[Query], base: Path, kept: KeptFolders
) -> Iterator[WorkspaceSource | None]:
    """Yield where the workspaces of queries lie, in order; equal ones are looked up once."""
    found: dict[object, WorkspaceSource | None] = {}
    for query in queries:
        if query.workspace not in found:
            found[query.workspace] = source_of(query, base, kept)
        yield found[query.workspace]


def without_user(git: str) -> str:
    """Return a repository's URL without a user and a password in it."""
    try:
        parts = urlsplit(git)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return git
    return urlunsplit(parts._replace(netloc=host)) if parts.netloc else git


def why_forbidden(query: Query, source: WorkspaceSource | None, kept: KeptFolders) -> str | None:
    """Return why no query may have this workspace, whatever is granted, or None."""
    git = query.workspace.git if isinstance(query.workspace, GitWorkspace) else ""
    if is_remote(git) and not _is_plain(git):
        return f"{without_user(git)!r} is not an https, ssh or git URL."
    if source is None:
        return None
    path, remedy = source.path, "put what is needed into a folder of its own"
    if any(home.is_relative_to(path) for home in kept.homes):
        return f"{path} holds sii's own folder, with your key and your recordings: {remedy}."
    if kept.user.is_relative_to(path):
        return f"{path} holds your home directory: {remedy}."
    within = (path.relative_to(home) for home in kept.homes if path.is_relative_to(home))
    if not all(map(_is_shared, within)):
        return f"{path} is part of sii's own folder: {remedy}."
    return None


def _is_plain(git: str) -> bool:
    scheme, colons, rest = git.partition("://")
    if colons:
        return scheme in _SCHEMES and not rest.startswith("-")
    return "::" not in git and not git.startswith("-")


def _is_shared(path: Path) -> bool:
    """Tell whether a folder of the home holds only workspaces."""
    parts = path.parts
    in_pool = len(parts) > 1 and parts[0] == POOL
    return in_pool or (len(parts) > 3 and parts[0] == BATCHES and parts[2] == WORKSPACES)


@contextmanager
def open_source(query: Query, source: WorkspaceSource | None) -> Iterator[tuple[Query, Path]]:
    """Yield the query and the folder its path is relative to, both as they were checked.

    Each folder on the path is opened without following a link, so that nothing that replaces one
    of them meanwhile is used. Raises `OSError`.
    """
    if source is None or isinstance(query.workspace, GitWorkspace):
        # A repository is opened by its path, which has no link in it.
        change = {"git": str(source.path)} if source else {}
        workspace = query.workspace
        if isinstance(workspace, GitWorkspace):
            workspace = workspace.model_copy(update=change)
        yield query.model_copy(update={"workspace": workspace}), Path("/")
        return
    with ExitStack() as stack:
        fd = os.open("/", _WALK)
        for name in source.path.parent.parts[1:]:
            fd = _next(stack, fd, name)
        name = source.path.name
        if os.path.isdir(f"/proc/self/fd/{fd}/{name}"):
            fd, name = _next(stack, fd, name), "."
        stack.callback(os.close, fd)
        yield query.model_copy(update={"workspace": name}), Path(f"/proc/self/fd/{fd}")


def _next(stack: ExitStack, fd: int, name: str) -> int:
    """Open a folder inside an open one, which is then closed."""
    try:
        return os.open(name, _WALK, dir_fd=fd)
    finally:
        os.close(fd)
