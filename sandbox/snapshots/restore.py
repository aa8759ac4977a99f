"""A tree in the store → a workspace: only what differs is touched, and nothing outside of it."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from sandbox.snapshots.changes import Change, Pair, compare, pairs
from sandbox.snapshots.entries import MAX_DEPTH, TreeEntry, kept_mode
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotError, Stopped, failure
from sandbox.snapshots.exclude import Exclude
from sandbox.snapshots.objects import Objects, write_all
from sandbox.snapshots.opening import (
    OWNER_ALL,
    HeldWorkspace,
    change_mode,
    left_if_impossible,
    open_owned_directory,
    temporary_name,
    writable,
)
from sandbox.snapshots.removal import Remover
from sandbox.snapshots.scan import Scanner


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result of a restore."""

    tree_sha256: str
    """The workspace's tree now: the one asked for, unless something is `missing`."""
    changes: tuple[Change, ...]
    """What it changed in the workspace."""
    missing: tuple[Change, ...]
    """What would still have to change: content that was not kept (`not_kept` says why), special
    files, what is in use or may not be written. It was left as it stands."""


def restore(
    tree: str,
    workspace: HeldWorkspace,
    objects: Objects,
    scanner: Scanner,
    exclude: Exclude,
    stop: threading.Event,
) -> RestoreResult:
    """Bring the workspace to a tree. What it holds now is kept in the store first.

    Raises `SnapshotError`; `Stopped` once `stop` is set: the workspace is then partly restored.
    """
    before, _ = scanner.scan(stop)
    wanted = tuple(compare(objects, before, tree))
    if not wanted:
        return RestoreResult(before, (), ())
    _check_room(workspace, wanted)
    try:
        _Restorer(objects, exclude, stop).run(workspace, before, tree)
    except OSError as error:
        raise failure("The workspace cannot be restored:", workspace.path, error) from error
    after, _ = scanner.scan(stop)
    if after == tree:
        return RestoreResult(after, wanted, ())
    return RestoreResult(
        after, tuple(compare(objects, before, after)), tuple(compare(objects, after, tree))
    )


def _check_room(workspace: HeldWorkspace, wanted: Iterable[Change]) -> None:
    """Raise `SnapshotError` where the files grow by more than the disk has: a content that is kept
    once may stand in half a million places.
    """
    written = [one for one in wanted if one.not_kept is None]
    growth = sum((one.size_after or 0) - (one.size_before or 0) for one in written)
    fd = workspace.open()
    try:
        space = os.fstatvfs(fd)
    finally:
        os.close(fd)
    if growth > space.f_bavail * space.f_frsize:
        raise SnapshotError(
            f"The files of the snapshot take {growth:,} bytes more than those that are in "
            f"{workspace.path}, and the disk has not as many: make room."
        )


class _Restorer:
    """One restore. An entry that cannot be restored is left; a full disk ends it all."""

    def __init__(self, objects: Objects, exclude: Exclude, stop: threading.Event) -> None:
        self._objects = objects
        self._exclude = exclude
        self._stop = stop
        self._store = objects.prepare()
        self._top = -1
        self._owner: tuple[int, int] | None = None

    def run(self, workspace: HeldWorkspace, before: str, after: str) -> None:
        """Bring the workspace from one tree to another."""
        self._top = workspace.open()
        try:
            status = os.fstat(self._top)
            self._remover = Remover(self._top, self._exclude, self._store, self._stop)
            if os.geteuid() == 0:
                self._owner = status.st_uid, status.st_gid
            with writable(self._top):
                self._directory(self._top, before, after, "", 0)
                self._remover.remove_lifted()
        finally:
            os.close(self._top)

    def _directory(
        self, fd: int, before: str | None, after: str | None, path: str, depth: int
    ) -> None:
        """Bring an open directory (that may be written) from one tree to another."""
        if depth > MAX_DEPTH:
            raise SnapshotDamaged("A tree is deeper than any that is stored.")
        different = pairs(self._objects, before, after)
        different = {
            name: pair for name, pair in different.items() if not self._exclude.matches(path, name)
        }
        for name, (old, new) in different.items():
            if old is not None and _must_go(old, new):
                with left_if_impossible():
                    self._remover.remove(fd, name, path, depth)
        for name, pair in different.items():
            with left_if_impossible():
                self._place(fd, name, pair, path, depth)

    def _place(self, fd: int, name: str, pair: Pair, path: str, depth: int) -> None:
        if self._stop.is_set():
            raise Stopped
        old, new = pair
        if new is None or new.not_kept is not None:
            return
        if new.type == "directory":
            self._place_directory(fd, old, new, path, depth)
        elif new.type == "symlink":
            self._place_symlink(fd, new)
        elif _has_content(old, new) and not _is_linked(name, fd):
            change_mode(name, fd, new.mode, stat.S_IFREG)
        else:
            self._place_file(fd, new)

    def _place_directory(
        self, fd: int, old: TreeEntry | None, new: TreeEntry, path: str, depth: int
    ) -> None:
        before = None
        if old is not None and old.type == "directory" and old.not_kept is None:
            before = old.sha256
        else:
            os.mkdir(new.name, OWNER_ALL, dir_fd=fd)
        child = open_owned_directory(new.name, fd)
        try:
            if before is None:
                self._give(child)
            if before != new.sha256:
                with writable(child):
                    self._directory(child, before, new.sha256, f"{path}{new.name}/", depth + 1)
            if kept_mode(os.fstat(child).st_mode) != new.mode:
                os.fchmod(child, new.mode)
        finally:
            os.close(child)

    def _place_symlink(self, fd: int, new: TreeEntry) -> None:
        temporary = temporary_name()
        os.symlink(new.target, temporary, dir_fd=fd)
        try:
            if self._owner is not None:
                os.chown(temporary, *self._owner, dir_fd=fd, follow_symlinks=False)
            os.rename(temporary, new.name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            _discard(temporary, fd)
            raise

    def _place_file(self, fd: int, new: TreeEntry) -> None:
        assert new.sha256 is not None
        temporary = temporary_name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=fd)
        try:
            try:
                for data in self._objects.stream(new.sha256, new.size):
                    if self._stop.is_set():
                        raise Stopped
                    write_all(file, data)
                self._give(file)
                os.fchmod(file, new.mode)
            finally:
                os.close(file)
            os.rename(temporary, new.name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            _discard(temporary, fd)
            raise

    def _give(self, fd: int) -> None:
        """Give what was made to the workspace's owner, as whom commands run."""
        if self._owner is not None:
            os.fchown(fd, *self._owner)


def _has_content(old: TreeEntry | None, new: TreeEntry) -> bool:
    return old is not None and old.type == "file" and old.sha256 == new.sha256


def _is_linked(name: str, fd: int) -> bool:
    """Whether a file has other names, perhaps outside: its mode would be theirs too."""
    return os.stat(name, dir_fd=fd, follow_symlinks=False).st_nlink > 1


def _must_go(old: TreeEntry, new: TreeEntry | None) -> bool:
    """Tell whether the old entry has to be removed first; a file replaces a file by itself."""
    if new is None:
        return True
    if new.not_kept is not None:
        return False
    if old.type == "directory" and old.not_kept is not None:
        return True
    return (old.type == "directory") != (new.type == "directory")


def _discard(name: str, fd: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=fd)
