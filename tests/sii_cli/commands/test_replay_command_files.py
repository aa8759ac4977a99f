"""`sii replay --html` and `--cast` write a recording for a browser and for asciinema."""

from __future__ import annotations

import json

import pytest

from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.storage.log import LOG
from recordings.verify import verify
from tests.sii_cli.shell import Shell


def test_a_page_and_a_cast_are_written(shell: Shell) -> None:
    shell.sii("-p", "Do <b>it</b>", script="work")
    done = shell.sii("replay", "last", "--html", "a.html", "--cast", "a.cast")
    assert (done.stdout, done.returncode) == ("", 0)
    assert "a.html  " in done.stderr
    page = (shell.workspace / "a.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "Do \\u003cb>it" in page
    lines = (shell.workspace / "a.cast").read_text().splitlines()
    assert json.loads(lines[0])["version"] == 2
    assert "Do <b>it</b>" in "".join(json.loads(line)[2] for line in lines[1:])


def test_a_recording_is_not_written_over(shell: Shell) -> None:
    folder = shell.recorded()
    done = shell.sii("replay", "last", "--html", str(folder / LOG))
    assert done.returncode == 2
    assert "is among the recordings" in done.stderr
    assert verify(folder).whole


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--html", "nowhere/a.html"], "nowhere is not a directory"),
        (["--html", "."], "'.' is a directory"),
        (["--html", "a.html", "--step"], "are for the terminal"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, args: list[str], says: str) -> None:
    shell.recorded()
    done = shell.sii("replay", "last", *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["show"], ["replay", "last", "--speed", "1000"]])
def test_an_approval_that_no_longer_holds_is_told(shell: Shell, command: list[str]) -> None:
    folder = shell.recorded()
    add_review(folder, "ada", verdict="approve", key=shell.key)
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    assert "reviewed by ada: that verdict no longer holds" in shell.sii(*command).stderr
