"""`sii verify` proves recordings whole, or says where they are not."""

from __future__ import annotations

import pytest

from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.storage.log import LOG
from tests.sii_cli.shell import Shell


def test_a_whole_recording(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work")
    done = shell.sii("verify", "last")
    assert done.returncode == 0
    assert "  whole  " in done.stdout
    assert "2 requests" in done.stdout


def test_a_broken_recording_exits_with_1_and_says_where(shell: Shell) -> None:
    good, bad = shell.recorded(), shell.recorded()
    log = bad / LOG
    log.write_bytes(log.read_bytes().replace(b"You are an agent.", b"You are a robot!!", 1))
    done = shell.sii("verify", good.name, bad.name)
    assert done.returncode == 1
    assert f"{good.name}  whole" in done.stdout
    assert f"{bad.name}  BROKEN" in done.stdout
    assert "  line 1 (byte 0): the line is not what was written" in done.stdout
    assert done.stdout.endswith("1 of 2 recordings are whole.\n")
    assert shell.sii("verify", "--all").stdout.count("BROKEN") == 1


def test_a_session_that_is_being_written_is_not_broken(shell: Shell) -> None:
    session, folder = shell.store.create_folder()
    recorder = Recorder.create(folder, session, key=shell.key)
    recorder.record(UserMessage(round=1, text="hi"), "human")
    with open(folder / LOG, "ab") as log:
        log.write(b'{"v":1,"sess')
    assert shell.sii("verify", session).returncode == 0
    recorder.close()
    assert "torn last line" in shell.sii("verify", session).stdout


def test_an_approval_that_no_longer_holds_is_told(shell: Shell) -> None:
    folder = shell.recorded()
    add_review(folder, "ada", verdict="approve", key=shell.key)
    assert shell.sii("verify", "last").stderr == ""
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    assert "reviewed by ada: that verdict no longer holds" in shell.sii("verify", "last").stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Say which recordings"),
        (["last", "--all"], "not both"),
        (["1999"], "No recording is called '1999'"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, args: list[str], says: str) -> None:
    shell.recorded()
    done = shell.sii("verify", *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
