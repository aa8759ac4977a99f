"""Blobs: bytes beside the log, stored once under their hash: `blobs/ab/cdef…`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingDamaged, RecordingNotFound
from recordings.events import BlobRef
from recordings.storage.files import PACKED, failure, open_stored
from recordings.storage.opening import OpenFolder

BLOBS = "blobs"
_PREFIX = 2
"""Characters of a hash that are the name of its blob's folder."""
LARGEST_BLOB = 1 << 30
"""Bytes of the largest blob that is read or packed; a larger file may have no end."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def blob_path(folder: Path, sha256: str) -> Path:
    """Return the path of a blob. Raises `RecordingDamaged` for what is not a hash."""
    if not _SHA256.fullmatch(sha256):
        raise RecordingDamaged(f"{sha256[:80]!r} is not the sha256 of a blob.")
    return folder / BLOBS / sha256[:_PREFIX] / sha256[_PREFIX:]


def put_blob(folder: Path, data: bytes) -> BlobRef:
    """Write a blob; it is on the disk on return. Raises `RecordingFailed`."""
    ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    path = blob_path(folder, ref.sha256)
    try:
        with blob_folder(folder, ref.sha256, make=True) as opened:
            if not (opened.is_file(path.name) or opened.is_file(path.name + PACKED)):
                _put(opened, path.name, data)
    except OSError as error:
        raise failure(path, error) from error
    return ref


def blob_folder(folder: Path, sha256: str, *, make: bool = False) -> OpenFolder:
    """Open the folder of a blob. Raises what `OpenFolder` raises."""
    return OpenFolder(folder.parent, folder.name, BLOBS, sha256[:_PREFIX], make=make)


def open_blob(folder: Path, ref: BlobRef) -> BinaryIO:
    """Open a blob, packed or not; its content is not checked.

    Raises `RecordingNotFound`, `RecordingDamaged`.
    """
    try:
        path = blob_path(folder, ref.sha256)
        return open_stored(folder, BLOBS, path.parent.name, path.name)
    except FileNotFoundError:
        raise RecordingNotFound(f"The recording has lost the blob {ref.sha256}.") from None


def read_blob(folder: Path, ref: BlobRef) -> bytes:
    """Return a blob's bytes. Raises `RecordingNotFound`, `RecordingDamaged`."""
    if ref.size > LARGEST_BLOB:
        raise RecordingDamaged(f"The blob {ref.sha256} is said to have {ref.size:,} bytes.")
    with open_blob(folder, ref) as file:
        is_whole = file.seek(0, os.SEEK_END) == ref.size
        file.seek(0)
        data = file.read(ref.size) if is_whole else b""  # as much as was written, or nothing
    if not is_whole or hashlib.sha256(data).hexdigest() != ref.sha256:
        raise RecordingDamaged(f"The blob {ref.sha256} in {folder} is not what was written.")
    return data


def blob_folders(folder: Path) -> Iterator[OpenFolder]:
    """Yield the folders of a recording's blobs, each open until the next; links are skipped.

    Raises `OSError`.
    """
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        OpenFolder(folder.parent, folder.name, BLOBS) as blobs,
    ):
        for opened in blobs.folders():
            if len(opened.path.name) == _PREFIX:
                yield opened


def stored_blobs(folder: Path) -> Iterator[str]:
    """Yield the hash of every blob, packed or not. Raises `OSError`."""
    for opened in blob_folders(folder):
        for name in opened.names():
            if not name.startswith("."):
                yield opened.path.name + name.removesuffix(PACKED)


def _put(opened: OpenFolder, name: str, data: bytes) -> None:
    temporary = f".{name}.{os.getpid()}"
    opened.remove(temporary)  # left by a killed process with the same id
    fd = opened.create(temporary)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fdatasync(fd)
        opened.rename(temporary, name)
    except BaseException:
        opened.remove(temporary)
        raise
    finally:
        os.close(fd)
    opened.sync()
