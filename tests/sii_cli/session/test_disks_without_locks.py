"""A file system that gives no locks, as NFS may: each lock says which file, and what helps."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.storage.log import is_locked
from recordings.store.summary import summarise
from sandbox.own_folder import OwnFolder
from sandbox.snapshots.usage import TreeLease, alone, at_work, cleaning
from sii_cli.batch.running.lock import locked
from sii_cli.errors import explain
from tests.recordings.recording_sessions import record_session


def _begin(folder: Path) -> None:
    Recorder.create(folder.parent / "new", "new")


def _go_on(folder: Path) -> None:
    Recorder.resume(folder)


def _review(folder: Path) -> None:
    add_review(folder, "ann")


def _batch(folder: Path) -> None:
    with locked(folder.parent):
        pass


def _at_work(folder: Path) -> None:
    with at_work(folder.parent):
        pass


def _alone(folder: Path) -> None:
    with alone(folder.parent):
        pass


def _cleaning(folder: Path) -> None:
    with cleaning(folder.parent):
        pass


def _lease(folder: Path) -> None:
    TreeLease(folder.parent, folder).rely_on(["ab" * 32])


def _own_folder(folder: Path) -> None:
    with OwnFolder("x"):
        pass


ACTS = (_begin, _go_on, _review, _batch, _at_work, _alone, _cleaning, _lease, _own_folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording on a file system without locks, where temporary files are, too."""
    folder = tmp_path / "session"
    folder.mkdir()
    (tmp_path / "new").mkdir()
    record_session(folder)

    def refused(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refused)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return folder


@pytest.mark.parametrize("act", ACTS)
def test_a_lock_that_cannot_be_had_names_the_file_and_what_helps(
    act: Callable[[Path], None], folder: Path
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (of several families)
        act(folder)
    said = str(explain(raised.value))
    assert str(folder.parent) in said
    assert "local disk" in said


def test_what_is_only_read_needs_no_lock(folder: Path) -> None:
    assert not is_locked(folder)
    assert summarise(folder).status == "done"
