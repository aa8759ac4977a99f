"""Copying the part of a recording that a fork shares with its parent; ancestors of a fork."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recordings.errors import RecordingDamaged, RecordingNotFound
from recordings.events import BlobRef, Parent, Redaction
from recordings.storage.blobs import blob_folder, blob_path
from recordings.storage.files import PACKED, failure
from recordings.storage.log import LogWriter, event_of, head_of, read_checked_lines, read_lines
from recordings.storage.opening import OpenFolder


def copy_until(source: Path, at: int, folder: Path, log: LogWriter) -> Parent:
    """Copy the lines of `source` up to event `at`, with their blobs; return that event as parent.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`, `RecordingFailed`.
    """
    for line, sha256 in read_checked_lines(source):
        event = event_of(source, line)
        for ref in event.data.blobs():
            _share_blob(source, folder, ref)
        log.append(line.text, durable=event.seq == at)
        if event.seq == at:
            return Parent(source.name, event.seq, sha256)
    raise RecordingNotFound(f"The recording {source.name} has no event {at}.")


def redactions_of(source: Path, at: int) -> Iterator[Redaction]:
    """Yield the redactions that a fork at an event must repeat: those that `source` records after
    that event, for events before it.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line in read_lines(source):
        head = head_of(source, line)
        if head.type != Redaction.type or head.seq <= at:
            continue
        data = event_of(source, line).data
        if isinstance(data, Redaction) and (shared := [seq for seq in data.seqs if seq <= at]):
            yield data.model_copy(update={"seqs": shared})


def root_of(folder: Path) -> str:
    """Return the session with which a recording's family of forks began, for no fork its own.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line in read_lines(folder):
        return event_of(folder, line).session
    return folder.name


def ancestors(folder: Path) -> set[str]:
    """Return the sessions whose lines a recording begins with; empty for a recording that is not
    a fork.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    found: set[str] = set()
    for line in read_lines(folder):
        session = head_of(folder, line).session
        if session == folder.name:
            break
        found.add(session)
    return found


def _share_blob(source: Path, folder: Path, ref: BlobRef) -> None:
    """Link or copy a blob of the parent into a fork, durably."""
    path = blob_path(folder, ref.sha256)
    try:
        with (
            blob_folder(source, ref.sha256) as opened,
            blob_folder(folder, ref.sha256, make=True) as own,
        ):
            name = next(
                (one for one in (path.name, path.name + PACKED) if opened.status(one)), None
            )
            if name is None:
                raise FileNotFoundError
            if own.status(name) is None:
                _share(opened, own, name)
    except (FileNotFoundError, NotADirectoryError):
        raise RecordingDamaged(
            f"The recording {source.name} has lost the blob {ref.sha256}."
        ) from None
    except OSError as error:
        raise failure(path, error) from error


def _share(opened: OpenFolder, own: OpenFolder, name: str) -> None:
    with opened.reader(name) as file:
        try:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise PermissionError  # its owner could change the fork's blob
            os.link(name, name, src_dir_fd=opened.fd, dst_dir_fd=own.fd, follow_symlinks=False)
        except FileExistsError:
            return
        except OSError:  # another disk, or a file system without links
            _copy(file, own, name)
    own.sync()


def _copy(file: BinaryIO, own: OpenFolder, name: str) -> None:
    temporary = f".{name}.{os.getpid()}"
    own.remove(temporary)  # left by a killed process with the same id
    try:
        with open(own.create(temporary), "wb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fdatasync(copy.fileno())
        own.rename(temporary, name)
    except BaseException:
        own.remove(temporary)
        raise
