"""Folders as archives: workspaces sent to a cluster's machines, and the recordings they return."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sandbox.snapshots.opening import open_directory, open_workspace
from sii_cli.queries.workspaces.extraction import Links, extract
from sii_cli.workspace.history import keeping_snapshots

_WHOLE = ("recordings",)
"""Folders whose entries are received whole or not at all."""
_SHARED = ("snapshots/objects", "snapshots/packs")
"""Folders to which each session adds its own files, at any depth. The rest of a store is derived
from them."""


def pack(folder: Path) -> bytes:
    """Return a folder's content as a tar archive. Blocks."""
    return _packed(sorted(folder.iterdir()))


def pack_data(path: Path) -> bytes:
    """Return a folder or a file, under its name, as a tar archive. Blocks."""
    return _packed([path])


def _packed(paths: list[Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            archive.add(path, path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, links: Links = "kept") -> None:
    """Unpack an archive that `pack` made into a new folder; nothing is written outside it. Blocks.

    Raises `SourceRefused`, `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    extract(io.BytesIO(data), folder, max_bytes=len(data), links=links)


def merge_received(data: bytes, home: Path) -> None:
    """Move what a session recorded on another machine into the batch's folder. Blocks.

    A recording appears whole or not at all. What is there already stays; links, and whatever is
    not of a recording or a snapshot, are left out. Raises `SourceRefused`, `OSError`.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=home) as name:
        unpack(data, Path(name), links="left_out")
        with (
            keeping_snapshots(home),  # they may arrive before the recordings that name them
            _opened(open_workspace(name)) as incoming,
            _opened(open_workspace(os.fspath(home))) as there,
        ):
            for folder in (*_SHARED, *_WHOLE):
                _merge_folder(folder.split("/"), incoming, there, deep=folder in _SHARED)


def _merge_folder(path: list[str], source: int, target: int, *, deep: bool) -> None:
    """Merge a folder below both directories, if it was sent and no file has its name here."""
    if not path:
        _merge(source, target, deep=deep)
    elif _is_directory(path[0], source):
        with suppress(FileExistsError):
            os.mkdir(path[0], 0o700, dir_fd=target)
        if _is_directory(path[0], target):
            with (
                _opened(open_directory(path[0], source)) as inside,
                _opened(open_directory(path[0], target)) as there,
            ):
                _merge_folder(path[1:], inside, there, deep=deep)


def _merge(source: int, target: int, *, deep: bool) -> None:
    """Move what is missing; `deep`: also inside directories that both have."""
    for name in os.listdir(source):
        if not _exists(name, target) and (deep or _is_directory(name, source)):
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        elif deep and _is_directory(name, target):
            _merge_folder([name], source, target, deep=True)


def _exists(name: str, fd: int) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_directory(name: str, fd: int) -> bool:
    return _exists(name, fd) and stat.S_ISDIR(
        os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    )


@contextmanager
def _opened(fd: int) -> Iterator[int]:
    """Close a directory afterwards."""
    try:
        yield fd
    finally:
        os.close(fd)
