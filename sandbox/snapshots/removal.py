"""Removes files of a workspace, whatever they are: never through a link, at any depth."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from sandbox.snapshots.entries import MAX_DEPTH
from sandbox.snapshots.errors import Stopped
from sandbox.snapshots.exclude import Exclude
from sandbox.snapshots.opening import (
    OWNER_ALL,
    change_mode,
    left_if_impossible,
    open_directory,
    open_owned_directory,
    open_workspace,
    temporary_name,
    writable,
)


class Remover:
    """Removes entries below an open directory; what is excluded, or on another disk, stays."""

    def __init__(
        self, top: int, exclude: Exclude, spared: tuple[int, int], stop: threading.Event
    ) -> None:
        """`spared` is the device and inode of a directory that stays, too."""
        self._top = top
        self._device = os.fstat(top).st_dev
        self._exclude = exclude
        self._spared = spared
        self._stop = stop
        self._lifted: list[str] = []

    def remove(self, fd: int, name: str, path: str, depth: int) -> None:
        """Remove what stands under a name in an open directory, `depth` below the top.

        `path` is that directory's, empty or ending in a slash. Raises `OSError`, `Stopped`.
        """
        if self._stop.is_set():
            raise Stopped
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=fd)
            return
        if status.st_dev != self._device or (status.st_dev, status.st_ino) == self._spared:
            return
        if depth >= MAX_DEPTH:
            self._lift(fd, name)
            return
        child = open_owned_directory(name, fd)
        try:
            with writable(child):
                for inside in os.listdir(child):
                    if not self._exclude.matches(f"{path}{name}/", inside):
                        with left_if_impossible():
                            self.remove(child, inside, f"{path}{name}/", depth + 1)
        finally:
            os.close(child)
        os.rmdir(name, dir_fd=fd)

    def remove_lifted(self) -> None:
        """Remove what was too deep to be removed where it stood. Raises `OSError`, `Stopped`."""
        while self._lifted:
            with left_if_impossible():
                self.remove(self._top, self._lifted.pop(), "", 0)

    def _lift(self, fd: int, name: str) -> None:
        """Move a directory that is too deep up to the top, to be removed from there."""
        lifted = temporary_name()
        change_mode(name, fd, OWNER_ALL, stat.S_IFDIR)
        os.rename(name, lifted, src_dir_fd=fd, dst_dir_fd=self._top)
        self._lifted.append(lifted)


def remove_folder(folder: Path, stop: threading.Event | None = None) -> bool:
    """Remove a directory with all in it; return whether all was removed. Raises `OSError`.

    Setting `stop` ends it after the entry that is being removed.
    """
    parent = open_workspace(os.fspath(folder.parent))
    try:
        top = open_owned_directory(folder.name, parent)
    finally:
        os.close(parent)
    try:
        os.fchmod(top, OWNER_ALL)
        remover = Remover(top, Exclude(()), (0, 0), stop or threading.Event())
        for name in os.listdir(top):
            with left_if_impossible():
                remover.remove(top, name, "", 1)
        remover.remove_lifted()
    except Stopped:
        return False
    finally:
        os.close(top)
    with left_if_impossible():
        folder.rmdir()
    return not os.path.lexists(folder)


def size_of(folder: Path) -> int:
    """Return the bytes on the disk of what a directory holds, as far as it can be read."""
    fd = open_workspace(os.fspath(folder))
    try:
        return _size_inside(fd, 0)
    finally:
        os.close(fd)


def _size_inside(fd: int, depth: int) -> int:
    size = 0
    for name in os.listdir(fd):
        with left_if_impossible():
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            size += status.st_blocks * 512
            if stat.S_ISDIR(status.st_mode) and depth < MAX_DEPTH:
                child = open_directory(name, fd)
                try:
                    size += _size_inside(child, depth + 1)
                finally:
                    os.close(child)
    return size
