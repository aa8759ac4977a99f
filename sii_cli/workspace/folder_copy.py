"""Copies a folder through directory handles: what changes in it meanwhile leads nowhere else.

Commands in a sandbox may work in the folder while it is copied, and swap its files and folders for
links to the host's.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

MAX_DEPTH = 128
"""Directories within one another, as in snapshots."""
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 20

Count = Callable[[int, int], None]
"""Receives how many files and bytes more are copied, before they are, and nothing after each piece
of a large file; may raise."""


def copy_folder(
    source: Path,
    target: Path,
    *,
    count: Count = lambda files, size: None,
    is_left_out: Callable[[int], bool] = lambda folder: False,
    with_owners: bool = False,
    follow: bool = False,
) -> None:
    """Copy what is in a folder into an empty one, with modes and times. Blocks.

    Links are copied as links; sockets and the like, which have no content, are not. `is_left_out`
    receives each folder's handle; `with_owners` keeps the owners, which only root can; `follow`
    lets `source` itself be a link. Raises `OSError`, and what `count` raises.
    """
    here = os.open(source, _DIRECTORY | (0 if follow else os.O_NOFOLLOW))
    try:
        there = os.open(target, _DIRECTORY | os.O_NOFOLLOW)
        try:
            _Copier(count, is_left_out, with_owners).copy(here, there, "", 0)
        finally:
            os.close(there)
    finally:
        os.close(here)


class _Copier:
    """One copy."""

    def __init__(self, count: Count, is_left_out: Callable[[int], bool], with_owners: bool) -> None:
        self._count = count
        self._is_left_out = is_left_out
        self._with_owners = with_owners

    def copy(self, source: int, target: int, path: str, depth: int) -> None:
        """Copy what is in an open folder into another; `path` is empty or ends in a slash."""
        if depth > MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, f"deeper than {MAX_DEPTH} directories", path)
        with os.scandir(source) as found:
            entries = list(found)
        self._count(len(entries), 0)
        for entry in entries:
            name = entry.name
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    self._folder(source, target, name, f"{path}{name}/", depth)
                elif stat.S_ISLNK(mode):
                    self._link(source, target, name)
                elif stat.S_ISREG(mode):
                    self._file(source, target, name)
            except OSError as error:
                if error.filename == name:  # it is not known where
                    error.filename = path + name
                raise
        self._finish(source, target)

    def _folder(self, source: int, target: int, name: str, path: str, depth: int) -> None:
        inside = os.open(name, _DIRECTORY | _SAFE, dir_fd=source)
        try:
            if self._is_left_out(inside):
                return
            os.mkdir(name, 0o700, dir_fd=target)
            made = os.open(name, _DIRECTORY | _SAFE, dir_fd=target)
            try:
                self.copy(inside, made, path, depth + 1)
            finally:
                os.close(made)
        finally:
            os.close(inside)

    def _link(self, source: int, target: int, name: str) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
        if self._with_owners:
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)

    def _file(self, source: int, target: int, name: str) -> None:
        file = os.open(name, os.O_RDONLY | _SAFE, dir_fd=source)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file any more", name)
            self._count(0, status.st_size)
            made = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
            try:
                self._content(file, made, status.st_size)
                self._finish(file, made)
            finally:
                os.close(made)
        finally:
            os.close(file)

    def _content(self, file: int, made: int, counted: int) -> None:
        """Copy what a file holds, which may have grown since it was counted."""
        copied = 0
        while size := os.sendfile(made, file, None, _PIECE):
            copied += size
            self._count(0, 0)
            if copied > counted:
                self._count(0, copied - counted)
                counted = copied

    def _finish(self, source: int, target: int) -> None:
        """Give an open copy the mode, the times and, where they are kept, the owner."""
        shutil.copystat(f"/proc/self/fd/{source}", f"/proc/self/fd/{target}")
        if self._with_owners:
            status = os.fstat(source)
            os.fchown(target, status.st_uid, status.st_gid)
