"""Each session's own copy of its query's workspace: from a directory, a tarball or a repository."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock

from sandbox.protocol import Limits
from sandbox.snapshots import remove_folder
from sii_cli.config.settings import BATCH_FILE, BATCH_QUERIES
from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.queries.workspaces.errors import SourceRefused, WorkspaceUnavailable
from sii_cli.queries.workspaces.extraction import MAX_MEMBERS, extract, open_archive
from sii_cli.queries.workspaces.repositories import check_out, is_remote, local_path, path_from
from sii_cli.queries.workspaces.stopping import check_stop, stop_of_thread
from sii_cli.workspace.folder_copy import copy_folder

_RANDOM = "[a-z0-9_]{8}"
"""What `mkdtemp` appends to a name."""
_CLONE = re.compile(rf"[0-9a-f]{{16}}-{_RANDOM}")
REPOSITORIES = ".repositories"
"""Folder beside the copies that holds each commit's repository, made once."""
_OF_A_BATCH = (BATCH_FILE, BATCH_QUERIES)
TARBALLS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
STOPPING = 2.0
"""Seconds that the removal of a copy may take once its session is stopped."""
_removals = ThreadPoolExecutor(128, thread_name_prefix="removals")
"""Threads of their own: a removal may take minutes, and every session needs the default ones."""


def workspace_fault(query: Query, base: Path) -> str | None:
    """Return what is wrong with a query's workspace, without making it, or None."""
    try:
        return _fault(query, base)
    except OSError as error:  # a name that is too long
        return f"{error.strerror}."


def _fault(query: Query, base: Path) -> str | None:
    match query.workspace:
        case None:
            return None
        case GitWorkspace(git=git):
            there = is_remote(git) or local_path(git, base).is_dir()
            return None if there else f"there is no repository {git}."
        case str(name):
            path = path_from(base, name)
            if path.is_dir() or (path.is_file() and name.endswith(TARBALLS)):
                return None
            return f"{name} is neither a directory nor a tarball ({', '.join(TARBALLS)})."


def make_workspace(query: Query, base: Path, parent: Path, max_bytes: int = Limits().disk) -> Path:
    """Return a new folder under `parent` with the query's workspace in it.

    `base` is what paths in the query are relative to; what is unpacked or checked out may take
    `max_bytes`. Blocks. Raises `WorkspaceUnavailable`.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{query.id}-", dir=parent))
    try:
        _fill(folder, query, base, parent / REPOSITORIES, max_bytes)
    except (OSError, SourceRefused) as error:
        remove_workspace(folder, stop_of_thread())
        raise WorkspaceUnavailable(
            f"The workspace of {query.id} cannot be made: {str(error).rstrip('.')}."
        ) from error
    return folder


def remove_workspace(folder: Path, stop: Event | None = None) -> None:
    """Remove a session's copy, whatever commands made in it. Blocks until then, or until `stop`.

    Never raises: what cannot be removed is left, for the session's outcome matters more.
    """
    with suppress(OSError):
        remove_folder(folder, stop)


async def remove_copy(folder: Path) -> None:
    """Remove a session's copy while other sessions run.

    In a session that is cancelled this takes at most `STOPPING` seconds: commands may have made
    more than can be removed in minutes. The next run removes the rest.
    """
    stop = Event()
    removal = asyncio.get_running_loop().run_in_executor(_removals, remove_workspace, folder, stop)
    session = asyncio.current_task()
    try:
        if session is None or not session.cancelling():
            await asyncio.wait({removal})
    finally:
        try:
            await asyncio.wait({removal}, timeout=STOPPING)
        finally:
            stop.set()


def leftover_copies(parent: Path, queries: Iterable[str]) -> Iterator[Path]:
    """Yield the copies under `parent` that are not removed, and clones that are not complete.

    Yields only folders named like copies of these queries' workspaces, and nothing through a link.
    """
    names = "|".join(map(re.escape, queries))
    copy = re.compile(rf"(?:{names})-{_RANDOM}")
    for folder, made in ((parent, copy), (parent / REPOSITORIES, _CLONE)):
        if folder.is_symlink():
            return
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            for entry in entries:
                if made.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield folder / entry.name


def remove_leftover_copies(
    parent: Path, queries: Iterable[str], kept: Collection[str] = ()
) -> None:
    """Remove what earlier runs left under `parent`, but the folders with the names in `kept`.

    Blocks; no session may run in what is removed.
    """
    for folder in leftover_copies(parent, queries):
        if folder.name not in kept:
            remove_workspace(folder)


def _fill(folder: Path, query: Query, base: Path, repositories: Path, max_bytes: int) -> None:
    match query.workspace:
        case None:
            return
        case GitWorkspace(git=git, commit=commit):
            source = git if is_remote(git) else local_path(git, base)
            _copy(_repository(source, commit, repositories, max_bytes), folder, max_bytes)
        case str(name):
            path = path_from(base, name)
            if path.is_dir():
                _copy(path, folder, max_bytes, follow=path == base)  # which may be a handle
            else:
                with open_archive(path) as archive:
                    extract(archive, folder, max_bytes=max_bytes)


def _copy(source: Path, folder: Path, max_bytes: int, *, follow: bool = False) -> None:
    """Copy a directory. Raises `SourceRefused` where it exceeds the limits, `OSError`."""
    all_files = all_bytes = 0

    def count(files: int, size: int) -> None:
        nonlocal all_files, all_bytes
        check_stop()
        all_files += files
        all_bytes += size
        if all_bytes > max_bytes or all_files > MAX_MEMBERS:
            raise SourceRefused(
                f"it has more than the disk limit of {max_bytes:,} bytes or {MAX_MEMBERS:,} "
                "files: name a narrower directory, or raise `disk` in your settings"
            )

    copy_folder(source, folder, count=count, is_left_out=_is_batch, follow=follow)


def _is_batch(folder: int) -> bool:
    """Tell whether an open folder is a batch's, which is not part of a workspace: it holds other
    sessions' answers, first of all those of the batch that runs.
    """
    return all(os.path.isfile(f"/proc/self/fd/{folder}/{name}") for name in _OF_A_BATCH)


_cloning = Lock()
_cloned: set[Path] = set()
"""Clones that this process made: others may have come with the batch's folder."""


def _repository(source: str | Path, commit: str, repositories: Path, max_bytes: int) -> Path:
    """Return a repository at the commit without anything newer: no later fix may be in it."""
    key = hashlib.sha256(f"{source}\0{commit}".encode()).hexdigest()[:16]
    kept = repositories / key
    with _cloning:
        if kept in _cloned and kept.is_dir():
            return kept
        repositories.mkdir(mode=0o700, exist_ok=True)
        if repositories.is_symlink():
            raise OSError(errno.EINVAL, f"{repositories} is a link: remove it")
        remove_workspace(kept, stop_of_thread())
        check_stop()
        new = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=repositories))
        try:
            check_out(source, commit, new, max_bytes)
            new.replace(kept)
            _cloned.add(kept)
        except BaseException:
            remove_workspace(new, stop_of_thread())
            raise
    return kept
