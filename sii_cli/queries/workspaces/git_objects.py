"""Reads a foreign repository as plain files: not its settings, and no program runs.

Layout: gitrepository-layout(5); gitformat-pack(5) for the index of a pack.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.snapshots.opening import GONE, open_directory, open_file, open_workspace
from sii_cli.queries.workspaces.errors import SourceRefused
from sii_cli.queries.workspaces.stopping import check_stop

_LOOSE_FOLDER = re.compile(r"[0-9a-f]{2}", re.ASCII)
_LOOSE = re.compile(r"[0-9a-f]{38}(?:[0-9a-f]{24})?", re.ASCII)
_PACK = re.compile(r"pack-[0-9a-f]{40}(?:[0-9a-f]{24})?\.(?:pack|idx)", re.ASCII)
_SHALLOW = re.compile(rb"(?:[0-9a-f]{40}(?:[0-9a-f]{24})?\n)*")
_MAX_SHALLOW = 1 << 20
_INDEX_MAGIC = b"\xfftOc\0\0\0\2"
_SHA1, _SHA256 = 20, 32
_ELSEWHERE = (
    "it is a worktree or a submodule, whose objects lie elsewhere: name the repository that holds "
    "them"
)


@contextmanager
def opened(repository: Path) -> Iterator[int]:
    """Open the directory that holds a repository's objects. Raises `SourceRefused`, `OSError`.

    Refuses a repository whose objects are elsewhere: worktrees, submodules, alternates.
    """
    folder = open_workspace(os.fspath(repository))
    try:
        held = _git_folder(folder)
    finally:
        os.close(folder)
    try:
        if _exists(held, "commondir"):
            raise SourceRefused(_ELSEWHERE)
        with _directory(held, "objects") as objects:
            if objects is None:
                raise SourceRefused("it is not a git repository")
            with _directory(objects, "info") as info:
                if info is not None and _exists(info, "alternates"):
                    raise SourceRefused(
                        "it borrows objects from another repository: make it whole with "
                        "`git repack -a -d`, and remove its objects/info/alternates"
                    )
        yield held
    finally:
        os.close(held)


def holds(repository: int, commit: str) -> bool:
    """Tell whether the name of an object begins with `commit`. Raises `OSError`."""
    commit = commit.lower()
    with _directory(repository, "objects") as objects:
        if objects is None:
            return False
        with _directory(objects, commit[:2]) as folder:
            if folder is not None and any(n.startswith(commit[2:]) for n in os.listdir(folder)):
                return True
        with _directory(objects, "pack") as packs:
            names = [] if packs is None else filter(_PACK.fullmatch, os.listdir(packs))
            return any(
                _indexed(packs, name, commit)
                for name in names
                if packs is not None and name.endswith(".idx")
            )


def copy_objects(repository: int, target: Path, max_bytes: int) -> None:
    """Copy a repository's objects into a new bare repository.

    Only regular files with the names of objects are copied. Raises `SourceRefused` when they
    exceed `max_bytes`, and `OSError`.
    """
    left = max_bytes
    for folder, name, fd in _object_files(repository):
        with open(fd, "rb") as file:
            check_stop()
            left -= os.fstat(fd).st_size
            if left < 0:
                raise SourceRefused(f"its objects are more than {max_bytes:,} bytes")
            place = target / "objects" / folder
            place.mkdir(parents=True, exist_ok=True)
            with open(place / name, "xb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
    if shallow := _shallow(repository):
        (target / "shallow").write_bytes(shallow)


def uses_sha256(repository: int) -> bool:
    """Tell whether objects have names of 64 digits. Raises `OSError`."""
    for _, name, fd in _object_files(repository):
        os.close(fd)
        return len(name.partition(".")[0].removeprefix("pack-")) > _SHA1 * 2
    return False


def _git_folder(folder: int) -> int:
    try:
        status = os.stat(".git", dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return os.dup(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise SourceRefused(_ELSEWHERE)
    return open_directory(".git", folder)


def _object_files(repository: int) -> Iterator[tuple[str, str, int]]:
    """Yield folder, name and an open descriptor of each object and pack."""
    with _directory(repository, "objects") as objects:
        if objects is None:
            return
        for folder in sorted(os.listdir(objects)):
            wanted = _PACK if folder == "pack" else _LOOSE
            if folder != "pack" and not _LOOSE_FOLDER.fullmatch(folder):
                continue
            with _directory(objects, folder) as held:
                for name in [] if held is None else sorted(os.listdir(held)):
                    if held is not None and wanted.fullmatch(name):
                        fd = _regular(held, name)
                        if fd is not None:
                            yield folder, name, fd


def _regular(parent: int, name: str) -> int | None:
    """Open a regular file; return None for anything else."""
    try:
        fd = open_file(name, parent)
    except OSError as error:
        if error.errno in GONE:
            return None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _shallow(repository: int) -> bytes:
    """Return the list of commits whose parents the repository does not have."""
    fd = _regular(repository, "shallow")
    if fd is None:
        return b""
    with open(fd, "rb") as file:
        text = file.read(_MAX_SHALLOW + 1)
    if len(text) > _MAX_SHALLOW or not _SHALLOW.fullmatch(text):
        raise SourceRefused("its list of commits without parents (`shallow`) is damaged")
    return text


def _indexed(packs: int, name: str, commit: str) -> bool:
    """Tell whether a pack's index has an object whose name begins with `commit`."""
    fd = _regular(packs, name)
    if fd is None:
        return False
    width = _SHA256 if len(name) > len("pack-.idx") + _SHA1 * 2 else _SHA1
    try:
        head = os.pread(fd, len(_INDEX_MAGIC) + 256 * 4, 0)
        if not head.startswith(_INDEX_MAGIC) or len(head) < len(_INDEX_MAGIC) + 256 * 4:
            return False
        wanted = bytes.fromhex(commit.ljust(width * 2, "0")[: width * 2])
        low, high = 0, int.from_bytes(head[-4:], "big")
        while low < high:
            middle = (low + high) // 2
            if os.pread(fd, width, len(head) + middle * width) < wanted:
                low = middle + 1
            else:
                high = middle
        return os.pread(fd, width, len(head) + low * width).hex().startswith(commit)
    finally:
        os.close(fd)


@contextmanager
def _directory(parent: int, name: str) -> Iterator[int | None]:
    """Open a directory inside another; yield None for anything else."""
    try:
        fd = open_directory(name, parent)
    except OSError as error:
        if error.errno not in GONE:
            raise
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _exists(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True
