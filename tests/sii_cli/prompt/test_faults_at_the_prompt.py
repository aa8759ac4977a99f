"""A disk that is full and an editor that fails end no prompt: a sentence says what happened."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import Any

import pytest
from prompt_toolkit.completion import DummyCompleter
from prompt_toolkit.history import InMemoryHistory

from recordings.events import UserMessage
from recordings.storage.log import read_events
from sii_cli.prompt import session
from sii_cli.prompt.session import PromptSession
from sii_cli.prompt.view import View
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

ENTER, ESC, CTRL_C, CTRL_D = "\r", "\x1b", "\x03", "\x04"
ALT_UP = "\x1b[1;3A"


def at_the_prompt(shell: Shell, script: str, **env: str) -> Terminal:
    terminal = shell.terminal(script=script, **env)
    terminal.wait_for("sandbox ready")
    return terminal


def allow_files(terminal: Terminal, size: int) -> None:
    """Let the program's files become so large: with 0 it can write none."""
    assert terminal.child.pid is not None
    resource.prlimit(terminal.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def said(shell: Shell) -> Sequence[str]:
    return [e.data.text for e in read_events(shell.last()) if isinstance(e.data, UserMessage)]


def test_a_message_is_sent_where_the_history_cannot_be_written(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "two")
    (shell.home / "history").unlink()
    (shell.home / "history").mkdir()
    terminal.send("one" + ENTER)
    terminal.wait_for("First.")
    terminal.send("/exit" + ENTER)
    assert terminal.exit_code() == 0


def test_a_message_that_cannot_be_taken_back_waits_until_the_round_ends(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("│ begun")
    terminal.send("only the first" + ENTER)
    terminal.wait_for("after this step: only the first")
    allow_files(terminal, 0)
    terminal.send(ALT_UP)
    terminal.wait_for("Not taken back:")
    assert "after this step: only the first" in terminal.everything()
    allow_files(terminal, resource.RLIM_INFINITY)
    terminal.send(ESC)
    terminal.wait_for("› only the first")
    terminal.send(CTRL_C)
    terminal.wait_for("› only the first", gone=True)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert said(shell) == ["go"]


def test_a_summary_is_used_as_it_is_where_the_editor_fails(shell: Shell) -> None:
    terminal = at_the_prompt(shell, "sum", EDITOR="false")
    terminal.send("one" + ENTER)
    terminal.wait_for("of the context")
    terminal.send("/compact" + ENTER)
    terminal.wait_for("e edits · Enter uses (1")
    terminal.send("e")
    terminal.wait_for("The summary is used as it is. false: Editing failed")
    terminal.wait_for("context compacted")
    terminal.send("two" + ENTER)
    terminal.wait_for("After.")
    terminal.send("/exit" + ENTER)
    assert terminal.exit_code() == 0


def test_a_hint_that_ends_leaves_the_question_that_replaced_it(shell: Shell) -> None:
    terminal = shell.terminal(script="two", SII_SPEAKER="ada")
    terminal.wait_for("y yes · n no")
    terminal.send("n")
    terminal.wait_for("sandbox ready")
    terminal.send("one" + ENTER)
    terminal.wait_for("of the context")
    terminal.send(CTRL_C)
    terminal.wait_for("Ctrl-C again leaves.")
    terminal.send(CTRL_D)
    terminal.wait_for("Is the task done?")
    terminal.pump(2.5)
    assert "Is the task done?" in terminal.everything()
    terminal.send("y")
    terminal.wait_for("Kept: the task is done.")
    assert terminal.exit_code() == 0


async def test_a_session_whose_last_round_cannot_be_shown_is_closed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opened:
        id = folder = None
        is_closed = False

        async def close(self, hurried: object = None) -> None:
            self.is_closed = True

    opened = Opened()

    async def open_(*_: Any, **__: Any) -> Opened:
        return opened

    def unreadable(folder: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(Session, "open", open_)
    monkeypatch.setattr(session, "last_round", unreadable)
    view = View(InMemoryHistory(), DummyCompleter())
    with pytest.raises(OSError, match="gone"):
        await PromptSession.open(view, {}, ResumedRecording(shell.recorded()))
    assert opened.is_closed
