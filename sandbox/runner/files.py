"""File operations as a worker does them: the kernel checks rights, nothing is opened blindly.

A path is first opened with O_PATH, which opens nothing for real, then looked at, and only a
regular file is opened through that descriptor: devices, FIFOs and kernel files never hang.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress

from .frames import CHUNK, Head

Emit = Callable[[Head, bytes], None]

_KERNEL_FILESYSTEMS = {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "debugfs"}
_KINDS = {
    errno.ENOENT: ("not_found", "There is no file {path}."),
    errno.EACCES: ("permission", "Permission denied: {path}."),
    errno.EPERM: ("permission", "Permission denied: {path}."),
    errno.EROFS: ("read_only", "{path} is on a read-only file system."),
    errno.EISDIR: ("is_directory", "{path} is a directory."),
    errno.ENOSPC: ("no_space", "No space is left for {path}."),
    errno.EDQUOT: ("no_space", "No space is left for {path}."),
    errno.EFBIG: ("too_large", "{path} would grow beyond the largest file allowed."),
    errno.ENOTDIR: ("invalid_path", "A part of {path} is a file and not a directory."),
    errno.ELOOP: ("invalid_path", "{path} goes through too many symbolic links."),
    errno.ENAMETOOLONG: ("invalid_path", "The path is too long: {path}."),
}


class FileRefused(Exception):
    """A file operation that cannot be done; `kind` as in the client's `FileError`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def refusal(error: Exception, path: str) -> FileRefused:
    """Return the refusal that an error means."""
    if isinstance(error, FileRefused):
        return error
    if isinstance(error, OSError) and error.errno in _KINDS:
        kind, words = _KINDS[error.errno]
        return FileRefused(kind, words.format(path=path))
    return FileRefused("other", f"{path}: {error}")


def kernel_devices() -> set[int]:
    """Return the device numbers of file systems whose files are the kernel's."""
    devices = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split()
            if fields[fields.index("-") + 1] in _KERNEL_FILESYSTEMS:
                major, minor = fields[2].split(":")
                devices.add(os.makedev(int(major), int(minor)))
    return devices


class WorkspaceFiles:
    """Reads and writes below one workspace."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._kernel_devices = kernel_devices()

    def absolute(self, path: str) -> str:
        """Return the path from the root. Raises `FileRefused`."""
        if not path or "\0" in path:
            raise FileRefused("invalid_path", "The path is empty or holds a NUL character.")
        return os.path.join(self._workspace, path)

    def read(self, path: str, offset: int, limit: int, emit: Emit) -> Head:
        """Send the bytes in chunks; return what the file is."""
        fd = self._open_regular(self.absolute(path))
        try:
            status = os.fstat(fd)
            whole = hashlib.sha256() if offset == 0 and limit >= status.st_size else None
            sent = 0
            while sent < limit:
                data = os.pread(fd, min(CHUNK, limit - sent), offset + sent)
                if not data:
                    break
                if whole is not None:
                    whole.update(data)
                sent += len(data)
                emit({"ev": "data"}, data)
            return self._describe(fd, None if whole is None else whole.hexdigest())
        finally:
            os.close(fd)

    def write(self, path: str, parts: Iterator[bytes], expected: str | None) -> Head:
        """Replace the content atomically, or make the file with its parents."""
        target = self._resolve_target(self.absolute(path))
        old = self._status(target)
        if old is not None:
            self._check_regular(old, target)
        self._check_expected(target, old, expected)
        folder = os.path.dirname(target)
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(folder, f".sii-{os.urandom(8).hex()}.tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            digest = hashlib.sha256()
            for part in parts:
                digest.update(part)
                _write_all(fd, part)
            if old is not None:
                os.fchmod(fd, stat.S_IMODE(old.st_mode))
            if expected == "":
                os.link(temporary, target)
                os.unlink(temporary)
            else:
                os.rename(temporary, target)
            return self._describe(fd, digest.hexdigest()) | {"path": target}
        except FileExistsError:
            self._discard(temporary)
            raise FileRefused("changed", f"{target} was made meanwhile.") from None
        except BaseException:
            self._discard(temporary)
            raise
        finally:
            os.close(fd)

    def _open_regular(self, path: str) -> int:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            self._check_regular(os.fstat(handle), path)
            return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.close(handle)

    def _check_regular(self, status: os.stat_result, path: str) -> None:
        if stat.S_ISDIR(status.st_mode):
            raise FileRefused("is_directory", f"{path} is a directory.")
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, "symbolic links in a circle")
        if not stat.S_ISREG(status.st_mode):
            raise FileRefused(
                "not_a_file", f"{path} is {_what(status.st_mode)}, not a regular file."
            )
        if status.st_dev in self._kernel_devices:
            raise FileRefused(
                "not_a_file", f"{path} belongs to the kernel: read it with a command."
            )

    def _resolve_target(self, path: str) -> str:
        """Follow symbolic links, also to a file that does not exist yet."""
        target = os.path.realpath(path)
        if path.endswith("/") or os.path.basename(path) in {"", ".", ".."}:
            raise FileRefused("is_directory", f"{path} is a directory.")
        return target

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(path)
        except FileNotFoundError:
            return None

    def _check_expected(self, path: str, old: os.stat_result | None, expected: str | None) -> None:
        if expected is None:
            return
        if old is None:
            if expected:
                raise FileRefused("changed", f"{path} is no longer there.")
            return
        if not expected:
            raise FileRefused("changed", f"{path} exists already.")
        fd = self._open_regular(path)
        with open(fd, "rb", buffering=0) as file:
            digest = hashlib.sha256()
            while data := file.read(CHUNK):
                digest.update(data)
        if digest.hexdigest() != expected:
            raise FileRefused("changed", f"{path} has changed since it was read.")

    def _discard(self, temporary: str) -> None:
        with suppress(OSError):
            os.unlink(temporary)

    def _describe(self, fd: int, sha256: str | None) -> Head:
        status = os.fstat(fd)
        return {
            "size": status.st_size,
            "mode": stat.S_IMODE(status.st_mode),
            "mtime": status.st_mtime,
            "path": os.readlink(f"/proc/self/fd/{fd}"),
            "sha256": sha256,
        }


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _what(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
