"""The part of a recording that a fork shares with its parent, copied as it is; and the family."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recordings.blobs import blob_path
from recordings.errors import RecordingDamaged, RecordingNotFound
from recordings.events import BlobRef, Observation, Parent, Redaction
from recordings.files import failure, kept_path, sync_folder
from recordings.lines import check_line, parse_line, peek
from recordings.log import LogWriter, event_of, read_lines

_HEAD = 250
"""Bytes of a line in which its parent stands."""


def copy_until(source: Path, at: int, folder: Path, log: LogWriter) -> Parent:
    """Copy the lines of `source` up to event `at`, and their blobs; return that event's address.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`, `RecordingFailed`.
    """
    for line in read_lines(source):
        sha256 = check_line(line.text)
        if sha256 is None:
            raise RecordingDamaged(
                f"Line {line.number} of the recording {source.name} was changed after it was "
                "written: `sii verify` says more."
            )
        event = event_of(source, line)
        if isinstance(event.data, Observation):
            for ref in (event.data.full, event.data.raw):
                if ref is not None:
                    _share_blob(source, folder, ref)
        log.append(line.text, durable=event.seq == at)
        if event.seq == at:
            return Parent(source.name, event.seq, sha256)
    raise RecordingNotFound(f"The recording {source.name} has no event {at}.")


def redactions_of(source: Path, at: int) -> Iterator[Redaction]:
    """Yield what a fork at an event must say of its shared part: the secrets that were taken out of
    it, told in `source` after that event.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line in read_lines(source):
        head = peek(line.text)
        if head is not None and (head.type != Redaction.type or head.seq <= at):
            continue
        data = event_of(source, line).data
        if isinstance(data, Redaction) and (shared := [seq for seq in data.seqs if seq <= at]):
            yield data.model_copy(update={"seqs": shared})


def parent_of(folder: Path) -> Parent | None:
    """Return where a recording was forked from, none when it was not.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    found = None
    for line in read_lines(folder):
        if b'"parent":{' in line.text[:_HEAD]:
            found = event_of(folder, line).parent
    return found


def root_of(folder: Path) -> str:
    """Return the session that a recording's family of forks began with; its own for no fork.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    for line in read_lines(folder):
        return event_of(folder, line).session
    return folder.name


def ancestors(folder: Path) -> set[str]:
    """Return the sessions whose lines a recording begins with, none for one that is no fork.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    found: set[str] = set()
    for line in read_lines(folder):
        session = parse_line(line.text).get("session")
        if not isinstance(session, str):
            raise RecordingDamaged(f"Line {line.number} of {folder.name} names no session.")
        if session == folder.name:
            break
        found.add(session)
    return found


def _share_blob(source: Path, folder: Path, ref: BlobRef) -> None:
    path = kept_path(blob_path(source, ref.sha256))
    if path is None:
        raise RecordingDamaged(f"The recording {source.name} has lost the blob {ref.sha256}.")
    target = blob_path(folder, ref.sha256).with_name(path.name)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            try:
                os.link(path, target)
            except FileExistsError:
                raise
            except OSError:  # another disk, or one without links
                shutil.copyfile(path, target)
        sync_folder(target.parent)
    except OSError as error:
        raise failure(target, error) from error
