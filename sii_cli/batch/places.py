"""Where a query's workspace lies: told before anything is read, and held while it is copied.

Paths of a query count from its file's folder. What a link there leads to is where it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from sii_cli.batch.repositories import is_remote, local_path
from sii_cli.queries.queries import GitWorkspace, Query

BATCHES = "batches"
POOL = "pool"
WORKSPACES = "workspaces"
_SCHEMES = ("https", "http", "ssh", "git")
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(NamedTuple):
    """Where something lies on this machine."""

    path: Path
    """Without a link in it."""
    inside: bool
    """It lies in the folder of the query's file."""


class Homes(NamedTuple):
    """Folders that no query ever has, real paths."""

    sii: Path
    user: Path


def find_homes(sii: Path) -> Homes:
    """Return the folders that are kept from queries."""
    return Homes(Path(os.path.realpath(sii)), Path(os.path.realpath(Path("~").expanduser())))


def place_of(query: Query, base: Path, homes: Homes) -> Place | None:
    """Return where a query's workspace lies; None when it has none, or it is fetched.

    `base` is the folder that paths count from. Blocks; reads links alone.
    """
    match query.workspace:
        case None:
            return None
        case GitWorkspace(git=git):
            if is_remote(git):
                return None
            path = local_path(git, base)
        case name:
            path = base / Path(name).expanduser()
    path = Path(os.path.realpath(path))
    folder = Path(os.path.realpath(base))
    own = not homes.user.is_relative_to(folder)  # in ~ everything is the user's, and not the file's
    return Place(path, own and path.is_relative_to(folder))


def places_of(queries: Iterable[Query], base: Path, homes: Homes) -> Iterator[Place | None]:
    """Yield where the workspaces of queries lie, in order; of equal ones it is found once."""
    found: dict[object, Place | None] = {}
    for query in queries:
        if query.workspace not in found:
            found[query.workspace] = place_of(query, base, homes)
        yield found[query.workspace]


def without_user(git: str) -> str:
    """Return a repository's URL without a user and a password in it."""
    try:
        parts = urlsplit(git)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return git
    return urlunsplit(parts._replace(netloc=host)) if parts.netloc else git


def never(query: Query, place: Place | None, homes: Homes) -> str | None:
    """Say why no query may have this workspace, whatever is allowed; None when it may."""
    git = query.workspace.git if isinstance(query.workspace, GitWorkspace) else ""
    if is_remote(git) and not _is_plain(git):
        return f"{without_user(git)!r} is no https, ssh or git URL."
    if place is None:
        return None
    path, remedy = place.path, "put what is needed into a folder of its own"
    if homes.sii.is_relative_to(path):
        return f"{path} holds sii's own folder, with your key and your recordings: {remedy}."
    if homes.user.is_relative_to(path):
        return f"{path} holds your home directory: {remedy}."
    if path.is_relative_to(homes.sii) and not _is_shared(path.relative_to(homes.sii)):
        return f"{path} is part of sii's own folder: {remedy}."
    return None


def _is_plain(git: str) -> bool:
    scheme, colons, rest = git.partition("://")
    if colons:
        return scheme in _SCHEMES and not rest.startswith("-")
    return "::" not in git and not git.startswith("-")


def _is_shared(path: Path) -> bool:
    """Whether a folder of the home holds workspaces, and nothing else of the home."""
    parts = path.parts
    in_pool = len(parts) > 1 and parts[0] == POOL
    return in_pool or (len(parts) > 3 and parts[0] == BATCHES and parts[2] == WORKSPACES)


@contextmanager
def held(query: Query, place: Place | None) -> Iterator[tuple[Query, Path]]:
    """Yield the query and the folder its path counts from, such that both stay what was looked at.

    Each step to it is opened without following a link, so that what takes its path meanwhile is
    not used. Raises `OSError`.
    """
    if place is None or isinstance(query.workspace, GitWorkspace):
        # A repository is found again by its path, which has no link in it.
        change = {"git": str(place.path)} if place else {}
        workspace = query.workspace
        if isinstance(workspace, GitWorkspace):
            workspace = workspace.model_copy(update=change)
        yield query.model_copy(update={"workspace": workspace}), Path("/")
        return
    with ExitStack() as stack:
        fd = os.open("/", _WALK)
        for name in place.path.parent.parts[1:]:
            fd = _next(stack, fd, name)
        name = place.path.name
        if os.path.isdir(f"/proc/self/fd/{fd}/{name}"):
            fd, name = _next(stack, fd, name), "."
        stack.callback(os.close, fd)
        yield query.model_copy(update={"workspace": name}), Path(f"/proc/self/fd/{fd}")


def _next(stack: ExitStack, fd: int, name: str) -> int:
    """Open a folder in one that is open, which is closed then."""
    try:
        return os.open(name, _WALK, dir_fd=fd)
    finally:
        os.close(fd)
