"""Packing a closed recording: smaller, and read by all commands as before; and unpacking it.

`events.jsonl` becomes `events.jsonl.zst`, a blob `…` becomes `….zst` where that is smaller.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingDamaged
from recordings.storage.blobs import LARGEST_BLOB, blob_folders
from recordings.storage.files import PACKED, failure
from recordings.storage.log import LOG, LogWriter
from recordings.storage.opening import OpenFolder
from recordings.storage.zstd import MOST_TIMES, compress, is_bomb, open_compressed

_MUCH = 1 << 30
"""Bytes that any recording may take unpacked."""


@dataclass(frozen=True, slots=True)
class PackResult:
    """Size of a recording's log and blobs, before and after, in bytes."""

    before: int
    after: int


def pack(folder: Path) -> PackResult:
    """Compress a recording that no process writes to; a packed one stays as it is.

    Interrupted at any moment, the recording is whole: a compressed file gets its name when it is
    on the disk, and then the plain file is removed. Raises `RecordingInUse`, `RecordingNotFound`,
    `RecordingDamaged`, `RecordingFailed`.
    """
    before = _size(folder)
    if _has(folder, LOG):
        log, _ = LogWriter.open(folder)
        try:
            with _open_folder(folder) as opened:
                _replace(opened, LOG, LOG + PACKED, _compress)
        finally:
            log.close()
    for opened in blob_folders(folder):
        for name in _plain_or_packed(opened, packed=False):
            _replace(opened, name, name + PACKED, _compress, only_smaller=True)
    return PackResult(before, _size(folder))


def unpack(folder: Path) -> PackResult:
    """Decompress a packed recording. Raises `RecordingDamaged`, `RecordingFailed`.

    Nothing is written where the result would be much larger than any recording.
    """
    before = _size(folder)
    _check_room(folder)
    for opened in blob_folders(folder):
        for name in _plain_or_packed(opened, packed=True):
            _replace(opened, name, name.removesuffix(PACKED), _decompress)
    if _has(folder, LOG + PACKED) and not _has(folder, LOG):
        with _open_folder(folder) as opened:
            _replace(opened, LOG + PACKED, LOG, _decompress)
    return PackResult(before, _size(folder))


def _check_room(folder: Path) -> None:
    """Raise `RecordingDamaged` or `RecordingFailed` where a recording cannot be unpacked."""
    packed = plain = 0
    for opened in _packed_folders(folder):
        for name in _plain_or_packed(opened, packed=True):
            try:
                file = opened.reader(name)
                packed += os.fstat(file.fileno()).st_size
                with open_compressed(file, opened.path / name) as contents:
                    plain += contents.seek(0, os.SEEK_END)
            except OSError as error:
                raise failure(opened.path / name, error) from error
    if plain > max(_MUCH, packed * MOST_TIMES):
        raise RecordingDamaged(
            f"The recording {folder.name} would take {plain:,} bytes, packed in {packed:,}: no "
            "session is packed to so little, so it is not unpacked."
        )
    space = os.statvfs(folder)
    if plain > space.f_bavail * space.f_frsize // 2:
        raise failure(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _packed_folders(folder: Path) -> Iterator[OpenFolder]:
    with _open_folder(folder) as opened:
        yield opened
    yield from blob_folders(folder)


def _open_folder(folder: Path) -> OpenFolder:
    return OpenFolder(folder.parent, folder.name)


def _has(folder: Path, name: str) -> bool:
    try:
        with _open_folder(folder) as opened:
            return opened.status(name) is not None
    except OSError:
        return False


def _replace(
    opened: OpenFolder,
    source: str,
    target: str,
    convert: Callable[[BinaryIO, BinaryIO, Path], None],
    *,
    only_smaller: bool = False,
) -> None:
    temporary = f".{target}.{os.getpid()}"
    try:
        with opened.reader(source) as plain:
            size = os.fstat(plain.fileno()).st_size
            opened.remove(temporary)  # left by a killed process with the same id
            with open(opened.create(temporary), "wb") as converted:
                convert(plain, converted, opened.path / source)
                converted.flush()
                os.fdatasync(converted.fileno())
                written = converted.tell()
        if convert is _compress and is_bomb(written, size):  # it would not be read again
            return
        if written < size or not only_smaller:
            opened.rename(temporary, target)
            opened.sync()
            opened.remove(source)
    except OSError as error:
        raise failure(opened.path / target, error) from error
    finally:
        with suppress(OSError):
            opened.remove(temporary)


def _compress(source: BinaryIO, target: BinaryIO, path: Path) -> None:
    compress(source, target)


def _decompress(source: BinaryIO, target: BinaryIO, path: Path) -> None:
    with open_compressed(source, path) as plain:
        shutil.copyfileobj(plain, target)


def _plain_or_packed(opened: OpenFolder, *, packed: bool) -> Iterator[str]:
    """Yield the names of the packed or of the plain blobs; other files are skipped."""
    for name in sorted(opened.names()):
        status = opened.status(name)
        if (
            not name.startswith(".")
            and name.endswith(PACKED) == packed
            and status is not None
            and stat.S_ISREG(status.st_mode)
            and status.st_size <= LARGEST_BLOB
        ):
            yield name


def _size(folder: Path) -> int:
    try:
        with _open_folder(folder) as opened:
            statuses = [opened.status(LOG), opened.status(LOG + PACKED)]
        for blobs in blob_folders(folder):
            statuses += [blobs.status(name) for name in blobs.names()]
    except OSError as error:
        raise failure(folder, error) from error
    return sum(status.st_size for status in statuses if status is not None)
