"""An approval of other content holds no more, and every command about the recording says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.recorder import Recorder
from tests.sii_cli.shell import Shell

SAYS = "has changed since it was reviewed by ann"


@pytest.fixture
def changed(shell: Shell) -> Path:
    folder = shell.recorded(rounds=1, workspace=str(shell.workspace))
    assert shell.sii("approve", "last", "--speaker", "ann").returncode == 0
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(UserMessage(round=2, text="One more thing."), "human")
    recorder.close()
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("verify",),
        ("replay", "--speed", "1000000"),
        ("reviews",),
        ("reject", "--why", "it changed", "--speaker", "bob"),
        ("scan",),
        ("pack",),
        ("tree",),
        ("fork", "--at", "1"),
        ("replay", "--html", "page.html"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("changed")
def test_every_command_says_that_an_approval_is_void(
    shell: Shell, command: tuple[str, ...]
) -> None:
    name, *options = command
    assert SAYS in shell.sii(name, "last", *options).stderr


def test_a_list_marks_it_and_it_is_not_exported(shell: Shell, changed: Path) -> None:
    assert "verdict void (changed since)" in shell.sii("list").stdout
    assert shell.sii("list", "--approval", "approved").stdout == ""
    done = shell.sii("export", "out", "--format", "messages")
    assert "No recording is chosen" in done.stderr + done.stdout


@pytest.mark.usefixtures("changed")
def test_going_on_with_it_says_so(shell: Shell) -> None:
    assert SAYS in shell.sii("-r", "last", "-p", "Go on.", script="hello").stderr
