"""Packing: a closed recording made small, still read by everything; and back.

`events.jsonl` becomes `events.jsonl.zst`, a blob `…` becomes `….zst` where that is smaller.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recordings.blobs import BLOBS
from recordings.files import PACKED, failure, packed_path, sync_folder
from recordings.log import LOG, LogWriter
from recordings.zstd import compress, open_compressed


@dataclass(frozen=True, slots=True)
class PackResult:
    """Bytes of a recording's log and blobs, before and after."""

    before: int
    after: int


def pack(folder: Path) -> PackResult:
    """Compress a recording that nobody writes to; a packed one is left as it is.

    Interrupted at any moment, the recording is whole: a compressed file takes its name only when
    it is on the disk, and the plain one goes last. Raises `RecordingInUse`, `RecordingNotFound`,
    `RecordingDamaged`, `RecordingFailed`.
    """
    before = _size(folder)
    if (folder / LOG).exists():
        log, _ = LogWriter.open(folder)
        try:
            _replace(folder / LOG, packed_path(folder / LOG), _compress)
        finally:
            log.close()
    for path in _blobs(folder, packed=False):
        _replace(path, packed_path(path), _compress, only_smaller=True)
    return PackResult(before, _size(folder))


def unpack(folder: Path) -> PackResult:
    """Make a packed recording plain again. Raises `RecordingDamaged`, `RecordingFailed`."""
    before = _size(folder)
    for path in _blobs(folder, packed=True):
        _replace(path, path.with_name(path.name.removesuffix(PACKED)), _decompress)
    log = packed_path(folder / LOG)
    if log.exists() and not (folder / LOG).exists():
        _replace(log, folder / LOG, _decompress)
    return PackResult(before, _size(folder))


def _replace(
    source: Path,
    target: Path,
    convert: Callable[[Path, BinaryIO], None],
    *,
    only_smaller: bool = False,
) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "xb") as converted:
            os.chmod(temporary, 0o600)
            convert(source, converted)
            converted.flush()
            os.fdatasync(converted.fileno())
        if only_smaller and temporary.stat().st_size >= source.stat().st_size:
            return
        os.rename(temporary, target)
        sync_folder(target.parent)
        source.unlink()
    except OSError as error:
        raise failure(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _compress(source: Path, target: BinaryIO) -> None:
    with open(source, "rb") as plain:
        compress(plain, target)


def _decompress(source: Path, target: BinaryIO) -> None:
    with open_compressed(source) as plain:
        shutil.copyfileobj(plain, target)


def _blobs(folder: Path, *, packed: bool) -> Iterator[Path]:
    for path in sorted((folder / BLOBS).glob("??/*")):
        if not path.name.startswith(".") and (path.suffix == PACKED) == packed:
            yield path


def _size(folder: Path) -> int:
    log = folder / LOG
    logs = [path for path in (log, packed_path(log)) if path.exists()]
    return sum(path.stat().st_size for path in [*logs, *(folder / BLOBS).glob("??/*")])
