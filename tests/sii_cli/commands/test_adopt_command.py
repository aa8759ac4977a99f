"""`sii adopt` moves a batch from elsewhere into the home: whole, once, and trusted."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recordings.events import SessionEnd
from recordings.storage.files import replace_file
from recordings.storage.log import LOG, LogWriter
from recordings.store.store import RecordingStore
from recordings.trust.home_key import home_key
from sandbox.snapshots import remove_folder
from sii_cli.batch import adoption
from sii_cli.config.settings import BATCH_FILE
from tests.recordings.recording_sessions import FakeSession, record_session
from tests.sii_cli.shell import Shell


class Killed(BaseException):
    """The program was killed here."""


@pytest.fixture
def elsewhere(shell: Shell, tmp_path: Path) -> Path:
    """A batch of another home, with a review that was given there."""
    folder = tmp_path / "runs" / "monday"
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    _, recording = RecordingStore(folder / "recordings").create_folder()
    record_session(
        recording, rounds=1, steps=1, batch="monday", workspace="/their/work", key=home_key(theirs)
    )
    (folder / BATCH_FILE).write_text("{}")
    (folder / "snapshots" / "objects" / "ab").mkdir(parents=True)
    (folder / "snapshots" / "objects" / "ab" / "cd").write_bytes(b"content")
    env = {"SII_HOME": str(folder), "SII_KEY_HOME": str(theirs)}
    done = shell.sii("approve", recording.name, "--speaker", "ann", **env)
    assert done.returncode == 0, done.stderr
    return folder


def listed(shell: Shell) -> list[dict[str, Any]]:
    done = shell.sii("list", "--json", "--all")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_adopted(shell: Shell, elsewhere: Path) -> None:
    assert not elsewhere.exists()
    (row,) = listed(shell)
    assert (row["batch"], row["origin"]) == ("monday", "trusted")
    assert (row["approval"], row["reviewers"]) == ("approved", ["ann"])
    batches = shell.home / "batches"
    assert [one.name for one in batches.iterdir()] == ["monday"]
    kept = batches / "monday" / "snapshots" / "objects" / "ab" / "cd"
    assert kept.read_bytes() == b"content"


def test_a_batch_is_shown_and_moved_and_trusted(shell: Shell, elsewhere: Path) -> None:
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{elsewhere}  1 session" in done.stdout
    assert "unchecked 1" in done.stdout
    assert "1 recording is foreign, and name" in done.stdout
    assert "directory: /their/work" in done.stdout
    assert "reviewers: ann" in done.stdout
    assert_adopted(shell, elsewhere)


@pytest.mark.hostile
def test_no_call_hides_behind_the_directories_of_many_sessions(
    shell: Shell, elsewhere: Path
) -> None:
    def leave_a_call(session: FakeSession) -> None:
        session.request()
        session.response(calls=1)
        session.recorder.close()

    store = RecordingStore(elsewhere / "recordings")
    for number in range(20):
        _, folder = store.create_folder()
        record_session(folder, rounds=1, steps=1, batch="monday", workspace=f"/work/{number}")
    record_session(store.create_folder()[1], rounds=1, change=leave_a_call, workspace="/w")
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert 'call that was not run: bash {"command":"true 5"}' in done.stdout
    assert "and 10 more" in done.stdout


@pytest.mark.hostile
def test_an_outcome_of_others_holds_no_escape_sequence(shell: Shell, elsewhere: Path) -> None:
    def end(session: FakeSession) -> None:
        fields: dict[str, Any] = {"status": "\x1b]0;owned\x07", "rounds": 1, "steps": 1}
        session.recorder.record(SessionEnd.model_construct(**fields), "harness")
        session.recorder.close()

    _, folder = RecordingStore(elsewhere / "recordings").create_folder()
    record_session(folder, rounds=1, steps=1, change=end)
    assert "\x1b" not in shell.sii("adopt", str(elsewhere), "--yes").stdout


def test_without_a_yes_nothing_changes(shell: Shell, elsewhere: Path) -> None:
    before = sorted((elsewhere / "recordings").rglob("*"))
    done = shell.sii("adopt", str(elsewhere))
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert sorted((elsewhere / "recordings").rglob("*")) == before
    terminal = shell.terminal("adopt", str(elsewhere), script="hello")
    terminal.wait_for("trust what it holds?")
    terminal.send("n\r")
    assert terminal.exit_code() == 1
    assert listed(shell) == []
    assert (elsewhere / BATCH_FILE).exists()


def test_it_is_copied_to_another_file_system(
    shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_two_file_systems(monkeypatch, elsewhere)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert_adopted(shell, elsewhere)


def on_two_file_systems(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the folder be on another file system than the home, for renaming."""
    rename = os.rename

    def refuse(old: Any, new: Any, **options: Any) -> None:
        if (old, new) == (folder.name, folder.name):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(old, new, **options)

    monkeypatch.setattr(os, "rename", refuse)


@pytest.mark.parametrize("at", ["copy_folder", "_sync", "replace_file", "remove_folder"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_anywhere_it_is_finished_by_the_next_start(
    shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, at: str, after: bool
) -> None:
    on_two_file_systems(monkeypatch, elsewhere)
    real: Callable[..., Any] = getattr(adoption, at)

    def kill(*values: Any) -> Any:
        if at == "remove_folder" and values != (elsewhere.with_name(".adopted-monday"),):
            return real(*values)  # of what an earlier kill left
        if after:
            real(*values)
        raise Killed

    home_key(shell.home)
    with monkeypatch.context() as patch:
        patch.setattr(adoption, at, kill)
        with pytest.raises(Killed):
            adoption.move_to_home(elsewhere, shell.home)
    rows = listed(shell)
    assert len(rows) == (1 if at == "remove_folder" else 0)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.parent.iterdir()) == []
    assert [one.name for one in (shell.home / "batches").iterdir()] == ["monday"]
    assert len(listed(shell)) == 1


def test_what_changes_in_a_batch_after_a_kill_is_adopted_too(
    shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_two_file_systems(monkeypatch, elsewhere)

    def kill_after(*values: Any) -> None:
        replace_file(*values)
        raise Killed

    home_key(shell.home)
    with monkeypatch.context() as patch:
        patch.setattr(adoption, "replace_file", kill_after)
        with pytest.raises(Killed):
            adoption.move_to_home(elsewhere, shell.home)
    (elsewhere / "report.md").write_text("written since")
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert (shell.home / "batches" / "monday" / "report.md").read_text() == "written since"
    assert list(elsewhere.parent.iterdir()) == []


def test_another_folder_of_the_name_does_not_finish_what_was_killed(
    shell: Shell, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_two_file_systems(monkeypatch, elsewhere)

    def kill(*values: Any) -> None:
        raise Killed

    home_key(shell.home)
    with monkeypatch.context() as patch:
        patch.setattr(adoption, "_finish_copy", kill)
        with pytest.raises(Killed):
            adoption.move_to_home(elsewhere, shell.home)
    done = shell.sii("adopt", str(tmp_path / "another" / elsewhere.name), "--yes")
    assert (done.returncode, listed(shell)) == (2, [])
    assert "is not a folder" in done.stderr
    assert shell.sii("adopt", str(elsewhere), "--yes").returncode == 0
    assert len(listed(shell)) == 1


def test_a_batch_whose_session_runs_stays_where_it_is(shell: Shell, elsewhere: Path) -> None:
    writer, _ = LogWriter.open(RecordingStore(elsewhere / "recordings").resolve("last"), LOG)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    writer.close()
    assert done.returncode != 0
    assert "is being written: adopt the batch when it has ended" in done.stderr
    assert elsewhere.exists()


def test_a_mount_point_is_refused(
    shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == elsewhere)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 2
    assert "is a mount point, which cannot be moved: copy it elsewhere" in done.stderr
    assert elsewhere.exists()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_while_the_folder_gets_its_other_name(
    shell: Shell, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    on_two_file_systems(monkeypatch, elsewhere)
    rename = os.rename

    def kill(old: Any, new: Any, **options: Any) -> None:
        if new != ".adopted-monday":
            return rename(old, new, **options)
        if after:
            rename(old, new, **options)
        raise Killed

    home_key(shell.home)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", kill)
        with pytest.raises(Killed):
            adoption.move_to_home(elsewhere, shell.home)
    assert elsewhere.exists() != after
    assert listed(shell) == []
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.parent.iterdir()) == []
    assert [one.name for one in (shell.home / "batches").iterdir()] == ["monday"]
    assert len(listed(shell)) == 1


def test_a_name_that_is_taken_is_refused(shell: Shell, elsewhere: Path) -> None:
    taken = shell.home / "batches" / "monday"
    taken.mkdir(parents=True)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 1
    assert f"{taken} is there already" in done.stderr
    assert (elsewhere / BATCH_FILE).exists()


@pytest.mark.hostile
def test_what_cannot_be_adopted_is_refused_in_a_sentence(
    shell: Shell, elsewhere: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    empty = tmp_path / "empty"
    empty.mkdir()
    shell.recorded(rounds=1, steps=1)
    for folder, why in (
        (link, "is a link: name the folder itself"),
        (empty, "is not the folder of a batch"),
        (tmp_path / "none", "is not a folder"),
        (shell.home / "recordings", "already"),
        (tmp_path, "holds the home"),
    ):
        done = shell.sii("adopt", str(folder), "--yes")
        assert done.returncode == 2, folder
        assert why in done.stderr
    (elsewhere / "planted").symlink_to("/etc")
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 2
    assert "planted is a link" in done.stderr
    assert elsewhere.exists()


@pytest.mark.hostile
def test_links_inside_are_named_and_never_followed(
    shell: Shell, elsewhere: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (elsewhere / "recordings" / "planted").symlink_to(outside)
    os.mkfifo(elsewhere / "recordings" / "pipe")
    done = shell.sii("adopt", str(elsewhere), "--yes")
    assert done.returncode == 0, done.stderr
    assert "2 links and devices, never followed" in done.stdout
    assert (outside / "file").read_text() == "mine"
    assert len(listed(shell)) == 1


@pytest.mark.hostile
def test_folders_without_an_end_are_moved(shell: Shell, elsewhere: Path) -> None:
    """A model makes them in a workspace, of which a killed run leaves the copy."""
    fd = os.open(elsewhere, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    done = shell.sii("adopt", str(elsewhere), "--yes")
    try:
        assert done.returncode == 0, done.stderr
        assert len(listed(shell)) == 1
    finally:
        remove_folder(shell.home / "batches" / "monday")  # pytest cannot
