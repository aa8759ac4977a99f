"""A tree in the store → a workspace: only what differs is touched, and nothing outside of it."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.snapshots.changes import Change, Pair, compare, pairs
from sandbox.snapshots.entries import MAX_DEPTH, Entry, kept_mode
from sandbox.snapshots.errors import SnapshotDamaged, Stopped, failure
from sandbox.snapshots.exclude import Exclude
from sandbox.snapshots.objects import Objects, write_all
from sandbox.snapshots.opening import change_mode, open_directory, open_workspace
from sandbox.snapshots.scan import Scanner

_FATAL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE))
_OWNER_ALL = 0o700


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    tree_sha256: str
    """The workspace's tree now: the one asked for, unless something is `missing`."""
    changes: tuple[Change, ...]
    """What it changed in the workspace."""
    missing: tuple[Change, ...]
    """What would still have to change: content that was not kept (`not_kept` says why), special
    files, what is in use or may not be written. It was left as it stands."""


def restore(
    tree: str,
    workspace: Path,
    objects: Objects,
    scanner: Scanner,
    exclude: Exclude,
    stop: threading.Event,
) -> Restored:
    """Bring the workspace to a tree. What it holds now is kept in the store first.

    Raises `SnapshotError`; `Stopped` once `stop` is set: the workspace is then in between.
    """
    before, _ = scanner.scan(stop)
    wanted = tuple(compare(objects, before, tree))
    if not wanted:
        return Restored(before, (), ())
    try:
        _Restorer(objects, exclude, stop).run(workspace, before, tree)
    except OSError as error:
        raise failure("The workspace cannot be restored:", workspace, error) from error
    after, _ = scanner.scan(stop)
    return Restored(
        after, tuple(compare(objects, before, after)), tuple(compare(objects, after, tree))
    )


class _Restorer:
    """One restore. An entry that cannot be brought back is left; a full disk ends it all."""

    def __init__(self, objects: Objects, exclude: Exclude, stop: threading.Event) -> None:
        self._objects = objects
        self._exclude = exclude
        self._stop = stop
        self._store = objects.prepare()
        self._top = -1
        self._device = 0
        self._owner: tuple[int, int] | None = None
        self._lifted: list[str] = []

    def run(self, workspace: Path, before: str, after: str) -> None:
        """Bring the workspace from one tree to another."""
        self._top = open_workspace(os.fspath(workspace))
        try:
            status = os.fstat(self._top)
            self._device = status.st_dev
            if os.geteuid() == 0:
                self._owner = status.st_uid, status.st_gid
            with _writable(self._top):
                self._directory(self._top, before, after, "", 0)
                while self._lifted:
                    with _left_if_impossible():
                        self._remove(self._top, self._lifted.pop(), "", 0)
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
                with _left_if_impossible():
                    self._remove(fd, name, path, depth)
        for name, pair in different.items():
            with _left_if_impossible():
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
        self, fd: int, old: Entry | None, new: Entry, path: str, depth: int
    ) -> None:
        before = None
        if old is not None and old.type == "directory" and old.not_kept is None:
            before = old.sha256
        else:
            os.mkdir(new.name, _OWNER_ALL, dir_fd=fd)
        child = self._open(new.name, fd)
        try:
            if before is None:
                self._give(child)
            if before != new.sha256:
                with _writable(child):
                    self._directory(child, before, new.sha256, f"{path}{new.name}/", depth + 1)
            if kept_mode(os.fstat(child).st_mode) != new.mode:
                os.fchmod(child, new.mode)
        finally:
            os.close(child)

    def _place_symlink(self, fd: int, new: Entry) -> None:
        temporary = _temporary_name()
        os.symlink(new.target, temporary, dir_fd=fd)
        try:
            if self._owner is not None:
                os.chown(temporary, *self._owner, dir_fd=fd, follow_symlinks=False)
            os.rename(temporary, new.name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            _discard(temporary, fd)
            raise

    def _place_file(self, fd: int, new: Entry) -> None:
        assert new.sha256 is not None
        temporary = _temporary_name()
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

    def _remove(self, fd: int, name: str, path: str, depth: int) -> None:
        """Remove what stands under a name, but for what is excluded."""
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=fd)
            return
        if status.st_dev != self._device or (status.st_dev, status.st_ino) == self._store:
            return
        if depth >= MAX_DEPTH:
            self._lift(fd, name)
            return
        child = self._open(name, fd)
        try:
            with _writable(child):
                for inside in os.listdir(child):
                    if self._stop.is_set():
                        raise Stopped
                    if not self._exclude.matches(f"{path}{name}/", inside):
                        with _left_if_impossible():
                            self._remove(child, inside, f"{path}{name}/", depth + 1)
        finally:
            os.close(child)
        os.rmdir(name, dir_fd=fd)

    def _lift(self, fd: int, name: str) -> None:
        """Move a directory that is too deep up to the top, to be removed from there."""
        lifted = _temporary_name()
        change_mode(name, fd, _OWNER_ALL, stat.S_IFDIR)
        os.rename(name, lifted, src_dir_fd=fd, dst_dir_fd=self._top)
        self._lifted.append(lifted)

    def _open(self, name: str, fd: int) -> int:
        """Open a directory also when its mode forbids it to its owner."""
        try:
            return open_directory(name, fd)
        except PermissionError:
            change_mode(name, fd, _OWNER_ALL, stat.S_IFDIR)
            return open_directory(name, fd)

    def _give(self, fd: int) -> None:
        """Give what was made to the workspace's owner, as whom commands run."""
        if self._owner is not None:
            os.fchown(fd, *self._owner)


def _has_content(old: Entry | None, new: Entry) -> bool:
    return old is not None and old.type == "file" and old.sha256 == new.sha256


def _is_linked(name: str, fd: int) -> bool:
    """Whether a file has other names, perhaps outside: its mode would be theirs too."""
    return os.stat(name, dir_fd=fd, follow_symlinks=False).st_nlink > 1


def _must_go(old: Entry, new: Entry | None) -> bool:
    """Whether what stands there has to be removed first; a file replaces a file by itself."""
    if new is None:
        return True
    if new.not_kept is not None:
        return False
    if old.type == "directory" and old.not_kept is not None:
        return True
    return (old.type == "directory") != (new.type == "directory")


@contextmanager
def _writable(fd: int) -> Iterator[None]:
    """Let the owner change a directory for a while."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & _OWNER_ALL == _OWNER_ALL:
        yield
        return
    os.fchmod(fd, mode | _OWNER_ALL)
    try:
        yield
    finally:
        os.fchmod(fd, mode)


@contextmanager
def _left_if_impossible() -> Iterator[None]:
    """Go on after an entry that cannot be brought back: the scan afterwards tells of it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FATAL:
            raise


def _temporary_name() -> str:
    return f".sii-{secrets.token_hex(8)}"


def _discard(name: str, fd: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=fd)
