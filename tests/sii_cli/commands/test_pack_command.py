"""`sii pack` makes recordings small, and every command still reads them."""

from __future__ import annotations

from recordings.recorder import Recorder
from recordings.storage.log import LOG
from tests.sii_cli.shell import Shell


def test_a_packed_recording_is_read_as_before(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work")
    before = [shell.sii(*command).stdout for command in (["show"], ["list"])]
    done = shell.sii("pack", "last")
    assert done.returncode == 0
    assert " kB → " in done.stdout
    (folder,) = (path for path in shell.store.root.iterdir() if path.is_dir())
    assert not (folder / LOG).exists()
    assert [shell.sii(*command).stdout for command in (["show"], ["list"])] == before
    assert shell.sii("verify", "last").returncode == 0
    assert shell.sii("pack", "--all", "--undo").returncode == 0
    assert (folder / LOG).exists()


def test_one_that_is_being_written_keeps_no_other_from_being_packed(shell: Shell) -> None:
    closed = shell.recorded()
    session, folder = shell.store.create_folder()
    recorder = Recorder.create(folder, session, key=shell.key)
    (folder / LOG).write_bytes((closed / LOG).read_bytes())
    done = shell.sii("pack", "--all")
    recorder.close()
    assert done.returncode == 1
    assert "is being written by another process" in done.stderr
    assert closed.name in done.stdout
    assert (folder / LOG).exists()
    assert not (closed / LOG).exists()


def test_misuse_is_one_sentence(shell: Shell) -> None:
    done = shell.sii("pack")
    assert done.returncode == 2
    assert "Say which recordings" in done.stderr
