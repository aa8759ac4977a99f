"""The prompt obeys the person who types, whatever a server sends."""

from __future__ import annotations

import signal

import pytest

from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

pytestmark = pytest.mark.hostile


def flooded(shell: Shell) -> Terminal:
    """Return a prompt that draws an answer of two million characters, which came at once."""
    terminal = shell.terminal(script="flood")
    terminal.wait_for("sandbox ready")
    terminal.send("Go.\r")
    terminal.wait_for("word")
    return terminal


@pytest.mark.alone
def test_who_leaves_does_not_wait_until_an_answer_was_drawn(shell: Shell) -> None:
    terminal = flooded(shell)
    terminal.child.kill(signal.SIGTERM)
    assert terminal.exit_code() == 0
    assert terminal.raw.count(b"word") < 200_000


@pytest.mark.alone
def test_an_interrupt_does_not_wait_until_an_answer_was_drawn(shell: Shell) -> None:
    terminal = flooded(shell)
    terminal.send("\x1b")
    terminal.wait_for("Not all of it is drawn")
    assert terminal.raw.count(b"word") < 200_000
    terminal.send("And now?\r")
    terminal.wait_for("After.")
    terminal.child.kill(signal.SIGTERM)
    assert terminal.exit_code() == 0
