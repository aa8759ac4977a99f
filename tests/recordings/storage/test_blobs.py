"""Blobs: bytes come back as they were, are kept once, and are checked."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from recordings.errors import RecordingDamaged, RecordingFailed, RecordingNotFound
from recordings.events import BlobRef
from recordings.storage.blobs import blob_path, put_blob, read_blob


@pytest.mark.parametrize("data", [b"", b"\x00\xff output", bytes(range(256)) * 5000])
def test_bytes_come_back_as_they_were(tmp_path: Path, data: bytes) -> None:
    ref = put_blob(tmp_path, data)
    assert ref == BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    assert read_blob(tmp_path, ref) == data


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    ref = put_blob(tmp_path, b"same")
    before = blob_path(tmp_path, ref.sha256).stat().st_ino
    assert put_blob(tmp_path, b"same") == ref
    assert blob_path(tmp_path, ref.sha256).stat().st_ino == before
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(errno.ENOSPC, ""))
    )
    with pytest.raises(RecordingFailed, match="free some space"):
        put_blob(tmp_path, b"big")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_changed_blob_is_refused(tmp_path: Path) -> None:
    ref = put_blob(tmp_path, b"true")
    blob_path(tmp_path, ref.sha256).write_bytes(b"fake")
    with pytest.raises(RecordingDamaged, match="not what was written"):
        read_blob(tmp_path, ref)


def test_what_stands_in_a_blobs_place_is_not_read_beyond_its_size(tmp_path: Path) -> None:
    ref = put_blob(tmp_path, b"some bytes")
    os.truncate(blob_path(tmp_path, ref.sha256), 1 << 40)
    for size in (ref.size, -1):
        with pytest.raises(RecordingDamaged):
            read_blob(tmp_path, BlobRef(sha256=ref.sha256, size=size))


def test_a_lost_blob_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound, match="ab" * 32):
        read_blob(tmp_path, BlobRef(sha256="ab" * 32, size=1))


def test_a_recording_from_elsewhere_cannot_point_out_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordingDamaged):
        read_blob(tmp_path, BlobRef(sha256="../../etc/passwd", size=1))
