"""Unpacks an archive into a new folder, through directory handles: it cannot write elsewhere.

Nothing is opened through a link, every file is created, and bytes, members, depth and names are
limited. Members other than files, directories and links are refused.
"""

from __future__ import annotations

import errno
import os
import stat
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import IO, Literal
from zlib import error as ZlibError  # noqa: N812

from sii_cli.queries.workspaces.errors import SourceRefused
from sii_cli.queries.workspaces.stopping import check_stop
from sii_cli.queries.workspaces.tar_members import (
    Member,
    TarReader,
    decompressed,
    shown,
)

MAX_MEMBERS = 1_000_000
"""Files, directories and links that an archive may make."""
MAX_DEPTH = 128
"""Directories within one another, as in snapshots."""
MAX_NAME = 255
MAX_PATH = 4095

Links = Literal["inside", "kept", "left_out"]
"""Which symlinks are made: those that stay inside, all (none is followed), or none."""

UNPACKABLE = (EOFError, BadGzipFile, LZMAError, ZlibError)
"""What decompressors raise for what they cannot unpack."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)
_BITS = 0o755
"""Of a mode: neither setuid, setgid and sticky, nor what lets others write."""
_LATEST = 1 << 33
"""Seconds since 1970 that every file system can keep."""


def extract(file: IO[bytes], folder: Path, *, max_bytes: int, links: Links = "inside") -> None:
    """Unpack a tar archive, compressed or not, into an empty folder. Blocks.

    Raises `SourceRefused`, and `OSError`; what was unpacked until then is left to the caller.
    """
    top = os.open(folder, _DIRECTORY)
    try:
        extractor = _Extractor(top, links)
        try:
            reader = TarReader(decompressed(file), max_bytes)
            for member in reader.members():
                extractor.place(member, reader)
        finally:
            extractor.close()
    except UNPACKABLE as error:
        raise why_unpackable(error) from None
    finally:
        os.close(top)


def open_archive(path: Path) -> IO[bytes]:
    """Open a regular file, and wait for nothing else. Raises `OSError`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = open(os.open(path, flags), "rb")  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    return file


def why_unpackable(error: Exception) -> SourceRefused:
    """Return a decompressor's error in a sentence."""
    words = str(error).rstrip(".") or "it is cut off"
    return SourceRefused(f"it cannot be unpacked: {words}")


class _Extractor:
    """One extraction. A directory is never removed, so that its handle stays valid."""

    def __init__(self, top: int, links: Links) -> None:
        self._top = top
        self._links = links
        self._count = 0
        self._parent: tuple[list[bytes], int] = ([], os.dup(top))
        """The directory of the last member, open: most members have their neighbour's."""

    def close(self) -> None:
        """Close the open directory."""
        os.close(self._parent[1])

    def place(self, member: Member, reader: TarReader) -> None:
        """Create a member. Raises `SourceRefused`, `OSError`."""
        check_stop()
        parts = names_of(member.path)
        if member.kind == "directory":
            self._directory(parts, member)
            return
        if not parts:
            raise SourceRefused(f"{shown(member.path)} names no file")
        fd, name = self._open_parent(parts[:-1]), parts[-1]
        match member.kind:
            case "file":
                self._make_room(fd, name, member)
                _write(fd, name, member, reader)
            case "symlink":
                self._symlink(fd, parts, member)
            case "hardlink":
                self._hardlink(fd, name, member)

    def _directory(self, parts: list[bytes], member: Member) -> None:
        if parts:
            fd = self._open_parent(parts)
            os.fchmod(fd, member.mode & _BITS | stat.S_IRWXU)

    def _symlink(self, fd: int, parts: list[bytes], member: Member) -> None:
        if self._links == "left_out":
            return
        check_link(member, len(parts) - 1, may_leave=self._links == "kept")
        self._make_room(fd, parts[-1], member)
        os.symlink(member.target, parts[-1], dir_fd=fd)

    def _hardlink(self, fd: int, name: bytes, member: Member) -> None:
        """Give a file that was unpacked before a second name."""
        source = names_of(member.target)
        held = _open_below(self._top, source[:-1]) if source else None
        try:
            if held is None or not _is_file(held, source[-1]):
                raise SourceRefused(
                    f"{shown(member.path)} is a link to {shown(member.target)}, which is not a "
                    "file before it"
                )
            if source == [*self._parent[0], name]:
                return
            self._make_room(fd, name, member)
            os.link(source[-1], name, src_dir_fd=held, dst_dir_fd=fd, follow_symlinks=False)
        finally:
            if held is not None:
                os.close(held)

    def _make_room(self, fd: int, name: bytes, member: Member) -> None:
        """Count a new member, and remove an earlier one of the same name: the later counts."""
        self._counted()
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise SourceRefused(f"{shown(member.path)} is a directory, and then not") from None

    def _open_parent(self, parts: list[bytes]) -> int:
        """Return the handle of a directory, which is made if need be."""
        known, fd = self._parent
        if parts != known:
            new = self._make_directories(parts)
            os.close(fd)
            self._parent = (parts, new)
            return new
        return fd

    def _make_directories(self, parts: list[bytes]) -> int:
        fd = os.dup(self._top)
        for part in parts:
            try:
                child = self._make_directory(fd, part)
            except OSError as error:
                if error.errno not in _NO_DIRECTORY:
                    raise
                raise SourceRefused(
                    f"{shown(b'/'.join(parts))} leads through a link or a file"
                ) from None
            finally:
                os.close(fd)
            fd = child
        return fd

    def _make_directory(self, fd: int, name: bytes) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=fd)
        except FileNotFoundError:
            self._counted()
            os.mkdir(name, _BITS, dir_fd=fd)
            return os.open(name, _DIRECTORY, dir_fd=fd)

    def _counted(self) -> None:
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise SourceRefused(f"it holds more than {MAX_MEMBERS:,} files")


def _write(fd: int, name: bytes, member: Member, reader: TarReader) -> None:
    with open(os.open(name, _NEW_FILE, 0o600, dir_fd=fd), "wb", buffering=0) as file:
        while data := reader.read():
            check_stop()
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        os.fchmod(file.fileno(), member.mode & _BITS | stat.S_IRUSR | stat.S_IWUSR)
        if member.mtime < _LATEST:
            os.utime(file.fileno(), (member.mtime, member.mtime))


def check_link(member: Member, depth: int, *, may_leave: bool = False) -> None:
    """Check a symlink in a directory of that depth. Raises `SourceRefused`."""
    target = member.target
    if not 0 < len(target) <= MAX_PATH or b"\0" in target:
        raise SourceRefused(f"{shown(member.path)} is a link that cannot be")
    if not may_leave and not _stays_inside(target, depth):
        raise SourceRefused(
            f"{shown(member.path)} is a link that may lead outside, to {shown(target)}"
        )


def names_of(path: bytes) -> list[bytes]:
    """Return the names of a member's path, from the top. Raises `SourceRefused`."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path.startswith(b"/") or b".." in parts:
        raise SourceRefused(f"{shown(path)} leads outside")
    if not path or b"\0" in path:
        raise SourceRefused(f"{shown(path)} is not the name of a file")
    if len(path) > MAX_PATH or any(len(part) > MAX_NAME for part in parts):
        raise SourceRefused(f"the name {shown(path)}… is too long")
    if len(parts) > MAX_DEPTH:
        raise SourceRefused(f"{shown(path)} is deeper than {MAX_DEPTH} directories")
    return parts


def _stays_inside(target: bytes, depth: int) -> bool:
    """Tell whether a link in a directory of that depth stays inside, whatever its target is.

    `..` may stand only at its beginning, where everything above is known to be directories: later
    parts may be links themselves, which stay inside by the same rule.
    """
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    climbs = next((n for n, part in enumerate(parts) if part != b".."), len(parts))
    return not target.startswith(b"/") and climbs <= depth and b".." not in parts[climbs:]


def _open_below(top: int, parts: list[bytes]) -> int | None:
    """Open a directory that was unpacked, or return None."""
    fd = os.dup(top)
    for part in parts:
        try:
            child = os.open(part, _DIRECTORY, dir_fd=fd)
        except OSError as error:
            if error.errno not in (*_NO_DIRECTORY, errno.ENOENT):
                raise
            return None
        finally:
            os.close(fd)
        fd = child
    return fd


def _is_file(fd: int, name: bytes) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
