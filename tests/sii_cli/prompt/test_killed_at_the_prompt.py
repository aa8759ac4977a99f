"""kill -9 of the prompt in a terminal: what was acknowledged is kept, and nothing is done twice."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.rewind import rewind_of
from recordings.events import (
    HarnessMessage,
    HumanCommand,
    Observation,
    PermissionAnswer,
    RoundEnd,
    Snapshot,
    UserMessage,
)
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.errors import SiiError
from sii_cli.workspace import forget
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

pytestmark = pytest.mark.slow

ESC, ENTER, CTRL_D = "\x1b", "\r", "\x04"
ALT_ENTER = ESC + ENTER


def at_the_prompt(shell: Shell, script: str, *options: str, **env: str) -> Terminal:
    terminal = shell.terminal(*options, script=script, **env)
    terminal.wait_for("sandbox ready")
    return terminal


def kill(terminal: Terminal) -> None:
    """Kill the prompt as it stands."""
    terminal.child.kill(signal.SIGKILL)
    killed(terminal)


def killed(terminal: Terminal) -> None:
    """Wait until the prompt was killed."""
    terminal.exit_code()
    assert terminal.child.signalstatus == signal.SIGKILL


def data(folder: Path, kind: type[Any]) -> list[Any]:
    return [event.data for event in read_events(folder) if isinstance(event.data, kind)]


def said(folder: Path) -> list[str]:
    return [one.text for one in data(folder, UserMessage)]


def leave(terminal: Terminal, shell: Shell) -> None:
    """End the session, and see that all recordings are whole."""
    terminal.send(CTRL_D)
    terminal.wait_for("Recorded:")
    assert terminal.exit_code() == 0
    for name in shell.store.ids():
        assert verify(shell.store.root / name).whole


def continue_(shell: Shell, script: str = "pushed", *options: str) -> Terminal:
    return at_the_prompt(shell, script, "-c", *options)


def test_a_steer_that_waits_is_delivered_once_after_a_kill(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("only the first" + ENTER)
    terminal.wait_for("after this step: only the first")
    kill(terminal)
    again = continue_(shell)
    again.wait_for("Pushed.")
    again.wait_for("after this step", gone=True)
    leave(again, shell)
    assert said(shell.last()) == ["go", "only the first"]
    assert [one.error for one in data(shell.last(), Observation)] == ["lost"]


def test_a_steer_that_was_delivered_is_answered_and_not_delivered_again(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "slow-second")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("only the first" + ENTER)
    terminal.wait_for("word word")
    kill(terminal)
    again = continue_(shell)
    again.wait_for("Pushed.")
    leave(again, shell)
    assert said(shell.last()) == ["go", "only the first"]
    assert [one.status for one in data(shell.last(), RoundEnd)] == ["answered"]


def test_a_queued_message_is_sent_after_the_continued_round(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("and then" + ALT_ENTER)
    terminal.wait_for("queued: and then")
    kill(terminal)
    again = continue_(shell, "two")
    again.wait_for("First.")
    again.wait_for("Second.")
    leave(again, shell)
    assert said(shell.last()) == ["go", "and then"]


def test_a_question_is_asked_again_and_the_call_runs_once(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('permission_rules = ["bash: echo push* -> ask"]\n')
    terminal = at_the_prompt(shell, "push")
    terminal.send("go" + ENTER)
    terminal.wait_for("4 no, and why")
    kill(terminal)
    again = shell.terminal("-c", script="pushed")
    again.wait_for("4 no, and why")
    again.pump(0.5)
    again.send("1")
    again.wait_for("Pushed.")
    leave(again, shell)
    assert [one.text for one in data(shell.last(), Observation)] == ["pushed"]
    assert [one.answer for one in data(shell.last(), PermissionAnswer)] == ["once"]


def test_a_compaction_that_was_killed_changed_nothing(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "slow-summary")
    terminal.send("Tell" + ENTER)
    terminal.wait_for("of the context")
    terminal.send("/compact" + ENTER)
    terminal.wait_for("(Esc interrupts)")
    terminal.pump(0.5)
    kill(terminal)
    again = continue_(shell)
    again.send("And?" + ENTER)
    again.wait_for("Pushed.")
    leave(again, shell)
    assert said(shell.last()) == ["Tell", "And?"]


def test_a_command_of_the_human_that_was_killed_leaves_a_session_that_opens(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "two")
    terminal.send("one" + ENTER)
    terminal.wait_for("First.")
    terminal.send("!echo begun; sleep 5" + ENTER)
    terminal.wait_for("(Esc interrupts)")
    terminal.pump(0.5)
    kill(terminal)
    again = continue_(shell)
    again.send("And?" + ENTER)
    again.wait_for("Pushed.")
    leave(again, shell)
    assert said(shell.last()) == ["one", "And?"]


def test_what_a_command_wrote_is_read_after_a_kill(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "two")
    terminal.send("one" + ENTER)
    terminal.wait_for("First.")
    terminal.send("!echo needle" + ENTER)
    terminal.wait_for("│ needle")
    terminal.pump(0.5)
    kill(terminal)
    again = continue_(shell)
    again.send("And?" + ENTER)
    again.wait_for("Pushed.")
    leave(again, shell)
    [ran] = data(shell.last(), HumanCommand)
    [note] = [one for one in data(shell.last(), HarnessMessage) if one.reason == "human_command"]
    assert ran.command in note.text
    assert "needle" in note.text


def rewinds(terminal: Terminal, upto: Sequence[str]) -> None:
    """Go back by Esc Esc; `upto` are the answers to the questions."""
    terminal.send("/rewind" + ENTER)
    terminal.wait_for("made.txt +1 (new)")
    terminal.wait_for("Go back to before a message")
    terminal.send(ENTER)
    for asked, key in zip(
        ("b files and conversation", "w the model was wrong"), upto, strict=False
    ):
        terminal.wait_for(asked)
        terminal.pump(0.2)
        terminal.send(key)


def made(shell: Shell, **env: str) -> Terminal:
    terminal = at_the_prompt(shell, "undo", **env)
    terminal.send("Do it" + ENTER)
    terminal.wait_for("made.txt +1 (new)")
    terminal.wait_for("of the context")
    terminal.pump(0.3)
    return terminal


def test_a_preview_that_was_killed_changed_nothing(shell: Shell) -> None:
    terminal = made(shell)
    rewinds(terminal, "")
    terminal.wait_for("b files and conversation")
    kill(terminal)
    again = continue_(shell, "made")
    again.send("And?" + ENTER)
    again.wait_for("Seen.")
    leave(again, shell)
    assert (shell.workspace / "made.txt").exists()
    assert len(shell.store.ids()) == 1


@pytest.mark.parametrize(
    ("at", "is_back", "forked"),
    [
        ("sandbox.snapshots.restore:_Restorer.run", False, False),
        ("sii_cli.session.fork_in_place:Recorder.fork", True, False),
        ("sii_cli.session.fork_in_place:redactions_of", True, True),
        ("sii_cli.prompt.session:PromptSession.new", True, True),
    ],
)
def test_a_rewind_that_was_killed_can_be_continued(
    shell: Shell, at: str, is_back: bool, forked: bool
) -> None:
    is_late = at.endswith(".new")
    terminal = made(shell, **({} if is_late else {"KILL_AT": at}))
    parent = shell.last()
    if is_late:
        rewinds(terminal, "bw")
        terminal.wait_for("this is its fork")
        kill(terminal)
    else:
        rewinds(terminal, "bw")
        killed(terminal)
    assert (shell.workspace / "made.txt").exists() is not is_back
    again = continue_(shell, "made")
    again.send("And?" + ENTER)
    again.wait_for("Seen.")
    leave(again, shell)
    assert said(parent)[:1] == ["Do it"]
    if forked:
        assert said(shell.last()) == ["And?"]
        return
    reasons = [one.reason for one in data(parent, HarnessMessage)]
    assert ("undo" if is_back else "workspace_changed") in reasons or not is_back
    assert [one.cause for one in data(parent, Snapshot)][:3] == ["start", "step", "before"]
    assert rewind_of(parent) is None


@pytest.mark.parametrize(
    "at",
    [
        "sii_cli.workspace.forget:remove_from_index",
        "sii_cli.workspace.forget:remove_folder",
        "sii_cli.workspace.forget:prune",
    ],
)
def test_a_deletion_that_was_killed_leaves_no_damaged_recording(shell: Shell, at: str) -> None:
    first = at_the_prompt(shell, "two")
    first.send("kept" + ENTER)
    first.wait_for("First.")
    leave(first, shell)
    kept = shell.last()
    terminal = at_the_prompt(shell, "two", KILL_AT=at)
    terminal.send("going" + ENTER)
    terminal.wait_for("First.")
    terminal.wait_for("of the context")
    terminal.send("/forget" + ENTER)
    terminal.wait_for("for good? y deletes")
    terminal.pump(0.3)
    terminal.send("y")
    killed(terminal)
    again = continue_(shell)
    again.send("And?" + ENTER)
    again.wait_for("Pushed.")
    leave(again, shell)
    assert said(kept)[:1] == ["kept"]
    assert "damaged" not in shell.sii("list").stdout


def test_a_recording_is_gone_before_its_folder_is(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shell.recorded()
    monkeypatch.setattr(forget, "remove_folder", lambda folder: False)
    with pytest.raises(SiiError, match="Not all of"):
        forget.forget([folder])
    assert folder.is_dir()
    assert shell.store.ids() == []
