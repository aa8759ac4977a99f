"""Blobs: bytes kept once, under their hash, beside the log: `blobs/ab/cdef…`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingDamaged, RecordingNotFound
from recordings.events import BlobRef
from recordings.files import PACKED, failure, kept_path, open_kept, sync_folder

BLOBS = "blobs"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def blob_path(folder: Path, sha256: str) -> Path:
    """Return where a recording keeps a blob. Raises `RecordingDamaged` for what is no hash."""
    if not _SHA256.fullmatch(sha256):
        raise RecordingDamaged(f"{sha256[:80]!r} is no sha256 of a blob.")
    return folder / BLOBS / sha256[:2] / sha256[2:]


def put_blob(folder: Path, data: bytes) -> BlobRef:
    """Keep bytes; they are on the disk on return. Raises `RecordingFailed`."""
    ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    path = blob_path(folder, ref.sha256)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if kept_path(path) is not None:
            return ref
        _make_folder(path.parent)
        try:
            _write_synced(temporary, data)
            os.rename(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error
    return ref


def open_blob(folder: Path, ref: BlobRef) -> BinaryIO:
    """Open a blob, packed or not; nothing is checked. Raises `RecordingNotFound`."""
    try:
        return open_kept(blob_path(folder, ref.sha256))
    except FileNotFoundError:
        raise RecordingNotFound(f"The recording has lost the blob {ref.sha256}.") from None


def read_blob(folder: Path, ref: BlobRef) -> bytes:
    """Return a blob's bytes. Raises `RecordingNotFound`, `RecordingDamaged`."""
    with open_blob(folder, ref) as file:
        data = file.read(max(0, ref.size) + 1)  # no more than was written, whatever is there now
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise RecordingDamaged(f"The blob {ref.sha256} in {folder} is not what was written.")
    return data


def stored_blobs(folder: Path) -> Iterator[str]:
    """Yield the hash of every blob that is kept, packed or not."""
    for path in (folder / BLOBS).glob("??/*"):
        if not path.name.startswith("."):
            yield path.parent.name + path.name.removesuffix(PACKED)


def _make_folder(folder: Path) -> None:
    """Make `blobs/` and `blobs/ab/`, their names on the disk."""
    for path in (folder.parent, folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(path.parent)


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(fd, "wb", buffering=0, closefd=False) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        os.fdatasync(fd)
    finally:
        os.close(fd)
