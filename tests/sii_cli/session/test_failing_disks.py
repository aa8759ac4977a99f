"""A disk that is full or read-only ends a session with a sentence, and leaves whole recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recordings.index.index import INDEX
from recordings.store.store import RecordingStore
from recordings.verify import verify
from tests.fakes.small_disk import SmallDisk, small_disk  # noqa: F401
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.shell import Shell


def recording_on(disk: SmallDisk) -> Path:
    _, folder = RecordingStore(disk.root / "recordings").create_folder()
    record_session(folder, rounds=1)
    return folder


def test_a_disk_that_fills_up_ends_the_session_with_a_sentence(
    shell: Shell,
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    (small_disk.root / "recordings").mkdir()
    small_disk.fill(leave=300 << 10)
    done = shell.sii("-p", "Say much.", script="long", SII_HOME=str(small_disk.root))
    assert done.returncode != 0
    assert "the disk is full: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    (name,) = RecordingStore(small_disk.root / "recordings").ids()
    assert verify(small_disk.root / "recordings" / name).whole
    (small_disk.root / "filler").unlink()
    again = shell.sii("-r", name, "-p", "Go on.", script="hello", SII_HOME=str(small_disk.root))
    assert again.returncode == 0


def test_a_read_only_disk_refuses_a_session_with_a_sentence(
    shell: Shell,
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    small_disk.read_only()
    done = shell.sii("-p", "Hello.", script="hello", SII_HOME=str(small_disk.root))
    assert done.returncode != 0
    assert "the disk is read-only" in done.stderr


def test_recordings_on_a_read_only_disk_are_listed_searched_and_shown(
    shell: Shell,
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    folder = recording_on(small_disk)
    home = str(small_disk.root)
    for indexed in (False, True):
        if indexed:
            assert shell.sii("list", SII_HOME=home).returncode == 0
        small_disk.read_only()
        for command in (("list",), ("search", "ledger"), ("show", "last"), ("verify", "last")):
            done = shell.sii(*command, SII_HOME=home)
            assert done.returncode == 0, (command, done.stderr)
            assert folder.name in done.stdout or command[0] == "show"
        refused = shell.sii("approve", "last", "--speaker", "ann", SII_HOME=home)
        assert "the disk is read-only" in refused.stderr
        small_disk.writable()


@pytest.mark.parametrize("indexed", [False, True])
def test_recordings_on_a_full_disk_are_listed_and_searched(
    shell: Shell,
    small_disk: SmallDisk,  # noqa: F811
    indexed: bool,
) -> None:
    folder = recording_on(small_disk)
    home, index = str(small_disk.root), folder.parent / INDEX
    if indexed:
        shell.sii("list", SII_HOME=home)
        copy = folder.parent / folder.name.replace("-", "-1", 1)
        shutil.copytree(folder, copy)
        before = index.stat().st_ino
    small_disk.fill()
    for _ in range(2):
        listed = shell.sii("list", SII_HOME=home)
        assert listed.returncode == 0, listed.stderr
        assert listed.stdout.count("unchecked") == (2 if indexed else 1)
        assert shell.sii("search", "ledger", SII_HOME=home).returncode == 0
    if indexed:
        assert index.stat().st_ino == before  # it is not thrown away


def test_a_second_writer_is_refused(shell: Shell) -> None:
    from recordings.recorder import Recorder

    recorder = Recorder.resume(
        shell.recorded(rounds=1, workspace=str(shell.workspace)), key=shell.key
    )
    done = shell.sii("-r", "last", "-p", "Me too.", script="hello")
    recorder.close()
    assert done.returncode != 0
    assert "is being written by another process" in done.stderr
