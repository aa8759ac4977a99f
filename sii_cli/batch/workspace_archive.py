"""A workspace as bytes, to be sent to another machine; and a session's folder on its way home."""

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
from sii_cli.batch.extraction import Links, extract
from sii_cli.workspace.history import keeping_snapshots

_WHOLE = ("recordings",)
"""Folders whose entries come home whole or not at all."""
_SHARED = ("snapshots/objects", "snapshots/packs")
"""Folders in which each session adds its own files, at any depth. What else a store has is made
from these."""


def pack(folder: Path) -> bytes:
    """Return all that is in a folder as a tar archive. Blocks."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, links: Links = "kept") -> None:
    """Fill a new folder from an archive that `pack` made; nothing is written outside it. Blocks.

    Raises `ArchiveRefused`, `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    extract(io.BytesIO(data), folder, max_bytes=len(data), links=links)


def bring_home(data: bytes, home: Path) -> None:
    """Put what a session left behind on another machine into the batch's folder. Blocks.

    A recording appears whole or not at all; what is there already is left alone, and what is
    neither of a recording nor of a snapshot is left out, as every link is. Raises
    `ArchiveRefused`, `OSError`.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=home) as name:
        unpack(data, Path(name), links="left_out")
        with (
            keeping_snapshots(home),  # they may come before the recordings that name them
            _opened(open_workspace(name)) as incoming,
            _opened(open_workspace(os.fspath(home))) as there,
        ):
            for folder in (*_SHARED, *_WHOLE):
                _bring(folder.split("/"), incoming, there, deep=folder in _SHARED)


def _bring(path: list[str], source: int, target: int, *, deep: bool) -> None:
    """Merge a folder below both directories, if it came and nothing stands in its place."""
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
                _bring(path[1:], inside, there, deep=deep)


def _merge(source: int, target: int, *, deep: bool) -> None:
    """Move what is not there; `deep`: go into the directories that both have."""
    for name in os.listdir(source):
        if not _stands(name, target) and (deep or _is_directory(name, source)):
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        elif deep and _is_directory(name, target):
            _bring([name], source, target, deep=True)


def _stands(name: str, fd: int) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_directory(name: str, fd: int) -> bool:
    return _stands(name, fd) and stat.S_ISDIR(
        os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    )


@contextmanager
def _opened(fd: int) -> Iterator[int]:
    """Close a directory afterwards."""
    try:
        yield fd
    finally:
        os.close(fd)
