"""Ending a recording while the session goes on, and deleting one, in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.events import RoundEnd, SessionEnd, UserMessage
from recordings.reviews.reviews import counted_reviews
from recordings.storage.log import read_events
from tests.fakes.consenting import consented
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

SECRET = "a-thing-said-off-the-record"


def at_the_prompt(shell: Shell, script: str = "two", *options: str) -> Terminal:
    terminal = shell.terminal(*options, script=script)
    terminal.resize(30, 200)
    terminal.wait_for("sandbox ready")
    return terminal


def said(shell: Shell) -> list[str]:
    events = [event.data for event in read_events(shell.last())]
    return [data.text for data in events if isinstance(data, UserMessage)]


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_status_line_says_that_it_records_and_where(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.wait_for(f"● records to {shell.home}")


def test_off_goes_on_in_the_same_context_and_keeps_nothing_of_it(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.send("/off\r")
    terminal.wait_for("○ not recorded")
    terminal.send(f"two {SECRET}\r")
    terminal.wait_for("Second.")
    terminal.wait_for("tokens")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    assert said(shell) == ["one"]
    *_, last = read_events(shell.last())
    assert last.data == SessionEnd(
        status="done",
        reason="the human ended the recording",
        rounds=1,
        steps=1,
        usage=last.data.usage if isinstance(last.data, SessionEnd) else None,  # type: ignore[arg-type]
    )
    assert SECRET.encode() not in everything_under(shell.home)
    assert shell.sii("verify", "last").returncode == 0


def test_off_in_a_round_records_the_running_step_and_no_other(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "two-steps")
    terminal.send("go\r")
    terminal.wait_for("running bash")
    terminal.send("/off\r")
    terminal.wait_for("The running step is the last that is recorded.")
    terminal.wait_for("After both.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    kept = everything_under(shell.last())
    assert b"first step" in kept
    assert b"second step" not in kept
    assert b"After both." not in kept
    assert shell.sii("verify", "last").returncode == 0


def test_a_steer_after_off_reaches_the_model_and_no_disk(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "two-steps")
    terminal.send("go\r")
    terminal.wait_for("running bash")
    terminal.send("/off\r")
    terminal.wait_for("The running step is the last that is recorded.")
    terminal.send(f"{SECRET}\r")
    terminal.wait_for(f"after this step: {SECRET}")
    terminal.wait_for(f"› {SECRET}")
    terminal.wait_for("After both.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    assert said(shell) == ["go"]
    assert SECRET.encode() not in everything_under(shell.last())
    assert shell.sii("verify", "last").returncode == 0


def test_no_verdict_on_work_that_was_not_recorded(shell: Shell) -> None:
    consented(shell.home, "ada")
    terminal = at_the_prompt(shell, "two", "--speaker", "ada")
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.send("/off\r")
    terminal.wait_for("○ not recorded")
    terminal.send("/done\r")
    terminal.wait_for("Kept: the task is done.")
    terminal.send("two\r")
    terminal.wait_for("Second.")
    terminal.send("/done no\r")
    terminal.wait_for("The session went on after its recording ended")
    terminal.send("/mark good\r")
    terminal.wait_for("Step 1 is marked good")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    assert len(counted_reviews(shell.last(), None)) == 2


def test_after_off_new_records_again(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.send("/off\r")
    terminal.wait_for("○ not recorded")
    terminal.send("/new\r")
    terminal.wait_for("● records to")
    terminal.send("two\r")
    terminal.wait_for("Second.")
    terminal.send("/exit\r")
    terminal.exit_code()
    assert said(shell) == ["two"]


def test_forget_deletes_the_recording_its_words_and_its_snapshots(shell: Shell) -> None:
    (shell.workspace / "kept.txt").write_text(SECRET)
    terminal = at_the_prompt(shell)
    terminal.send(f"one {SECRET}\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    folder = shell.last()
    assert shell.sii("search", SECRET).returncode == 0
    terminal.send("/forget\r")
    terminal.wait_for(f"Delete {folder.name} for good? y deletes · n keeps")
    terminal.send("n")
    terminal.wait_for("Kept.")
    assert folder.is_dir()
    terminal.send("/forget\r")
    terminal.wait_for("for good? y deletes")
    terminal.pump(0.3)
    terminal.send("y")
    terminal.wait_for(f"Deleted: {folder.name}. A new session begins.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    assert not folder.exists()
    (shell.home / "history").unlink()
    assert SECRET.encode() not in everything_under(shell.home)


def test_forget_is_refused_while_forks_name_the_recording(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    folder = shell.last()
    [at] = [event.seq for event in read_events(folder) if isinstance(event.data, RoundEnd)]
    assert shell.sii("fork", folder.name, "--at", str(at)).returncode == 0
    fork = shell.last()
    assert fork != folder
    terminal.send("/forget\r")
    terminal.wait_for("`/forget forks` deletes them, too.")
    terminal.send("/forget forks\r")
    terminal.wait_for("and 1 of its forks for good?")
    terminal.send("y")
    terminal.wait_for("Deleted:")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    assert not folder.exists()
    assert not fork.exists()


@pytest.mark.parametrize("command", ["/off", "/forget"])
def test_before_the_first_message_there_is_nothing_to_end(shell: Shell, command: str) -> None:
    terminal = at_the_prompt(shell)
    terminal.send(command + "\r")
    terminal.wait_for("Nothing is recorded yet" if command == "/off" else "no recording yet")
