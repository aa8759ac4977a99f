"""What is on the disk when a call returns: every sync that keeps it there, counted by path."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import pytest

from recordings.conversation.fork import copy_until
from recordings.events import BlobRef, Observation, UserMessage
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.reviews.reviews import add_review
from recordings.storage.blobs import blob_path, put_blob
from recordings.storage.files import REVIEWS, replace_file
from recordings.storage.log import LOG, LogWriter
from recordings.storage.pack import pack, unpack
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import session_start

SECRET = "sk-proj-" + "a1B2" * 12


class Syncs:
    """Counts syncs by path, from the folder of the test."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._counts: Counter[str] = Counter()

    def note(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")
        self._counts[os.path.relpath(path, self._root)] += 1

    def taken(self) -> Counter[str]:
        """Return those since the last time."""
        counts, self._counts = self._counts, Counter()
        return counts


@pytest.fixture
def syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Syncs:
    counted = Syncs(tmp_path)
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, counted.note)
    return counted


def observation(ref: BlobRef | None = None) -> Observation:
    return Observation(step=1, call_id="c", name="bash", text="out", seconds=0.1, full=ref)


def temporary(name: str) -> str:
    return f".{name}.{os.getpid()}"


def test_a_store_a_log_and_its_durable_lines(tmp_path: Path, syncs: Syncs) -> None:
    session, folder = RecordingStore(tmp_path / "store").create_folder()
    assert syncs.taken() == {"store": 1}
    recorder = Recorder.create(folder, session)
    assert syncs.taken() == {f"store/{session}": 1}
    recorder.record(session_start(), "harness")
    assert syncs.taken() == {f"store/{session}/{LOG}": 1}
    recorder.close()
    assert syncs.taken() == {f"store/{session}/{LOG}": 1}


def test_a_torn_line_that_is_cut(tmp_path: Path, syncs: Syncs) -> None:
    folder = recorded(tmp_path, syncs)
    with (folder / LOG).open("ab") as log:
        log.write(b'{"v":1,"torn')
    LogWriter.open(folder)[0].close()
    assert syncs.taken() == {f"one/{LOG}": 2}


def test_a_blob_with_the_names_of_its_folders(tmp_path: Path, syncs: Syncs) -> None:
    folder = recorded(tmp_path, syncs)
    ref = put_blob(folder, b"a blob")
    path = blob_path(folder, ref.sha256).relative_to(tmp_path)
    kept = path.with_name(temporary(path.name))
    assert syncs.taken() == {
        "one": 1,
        "one/blobs": 1,
        str(kept): 1,
        str(path.parent): 1,
    }


@pytest.mark.parametrize("linked", [True, False])
def test_the_blobs_of_a_fork(
    tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    folder = recorded(tmp_path, syncs, blob=b"a blob")
    if not linked:

        def refused(*_: object, **__: object) -> None:
            raise OSError(errno.EXDEV, "another disk")

        monkeypatch.setattr(os, "link", refused)
    fork = tmp_path / "fork"
    fork.mkdir()
    log = LogWriter.create(fork)
    syncs.taken()
    copy_until(folder, 2, fork, log)
    (path,) = (one for one in (fork / "blobs").rglob("*") if one.is_file())
    blob = path.relative_to(tmp_path)
    copied = {} if linked else {str(blob.with_name(temporary(blob.name))): 1}
    assert syncs.taken() == {
        f"fork/{LOG}": 1,
        "fork": 1,
        "fork/blobs": 1,
        str(blob.parent): 1,
        **copied,
    }
    assert path.read_bytes() == b"a blob"


def test_a_copy_that_breaks_off_leaves_no_blob(
    tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded(tmp_path, syncs, blob=b"a blob")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr("shutil.copyfileobj", full)
    fork = tmp_path / "fork"
    fork.mkdir()
    with pytest.raises(Exception, match="free some space"):
        copy_until(folder, 2, fork, LogWriter.create(fork))
    assert not [path for path in (fork / "blobs").rglob("*") if path.is_file()]


def test_packing_and_unpacking(tmp_path: Path, syncs: Syncs) -> None:
    folder = recorded(tmp_path, syncs, blob=b"words " * 1000)
    (blob,) = (one for one in (folder / "blobs").rglob("*") if one.is_file())
    place = blob.relative_to(tmp_path)
    pack(folder)
    packed = {f"one/{temporary(LOG + '.zst')}": 1, f"one/{LOG} (deleted)": 1, "one": 1}
    blobs = {str(place.with_name(temporary(place.name + ".zst"))): 1, str(place.parent): 1}
    assert syncs.taken() == packed | blobs
    unpack(folder)
    plain = {f"one/{temporary(LOG)}": 1, "one": 1}
    assert syncs.taken() == plain | {
        str(place.with_name(temporary(place.name))): 1,
        str(place.parent): 1,
    }


def test_a_redaction(tmp_path: Path, syncs: Syncs) -> None:
    folder = recorded(tmp_path, syncs, text=f"the key is {SECRET}")
    assert redact(folder, Redactor(SecretFinder()), by="ann") is not None
    assert syncs.taken() == {f"one/{temporary(LOG)}": 1, "one": 1, f"one/{LOG} (deleted)": 1}


def test_a_review(tmp_path: Path, syncs: Syncs) -> None:
    folder = recorded(tmp_path, syncs)
    add_review(folder, "ann", verdict="approve")
    assert syncs.taken() == {"one": 1, f"one/{REVIEWS}": 2}


def test_a_file_that_is_replaced(tmp_path: Path, syncs: Syncs) -> None:
    replace_file(tmp_path, "plan.json", b"{}")
    assert syncs.taken() == {".plan.json.new": 1, ".": 1}
    assert (tmp_path / "plan.json").read_bytes() == b"{}"


def recorded(root: Path, syncs: Syncs, *, text: str = "Go.", blob: bytes | None = None) -> Path:
    folder = root / "one"
    folder.mkdir()
    recorder = Recorder.create(folder, "one")
    recorder.record(session_start(), "harness")
    recorder.record(UserMessage(round=1, text=text), "human")
    if blob is not None:
        recorder.record(observation(recorder.put_blob(blob)), "tool")
    recorder.close()
    syncs.taken()
    return folder
