"""Commands of the prompt that show and copy, and a summary with words of the user."""

from __future__ import annotations

import base64

from recordings.events import SummaryRequest
from recordings.storage.log import read_events
from tests.sii_cli.shell import Shell


def test_status_says_what_fills_the_context(shell: Shell) -> None:
    terminal = shell.terminal(script="work")
    terminal.wait_for("sandbox ready")
    terminal.send("Do it\r")
    terminal.wait_for("• b")
    terminal.wait_for("tokens")
    terminal.send("/status\r")
    for part in ("system prompt", "tools", "your messages", "the model", "tool results"):
        terminal.wait_for(f"  {part} ")
    terminal.send("\x04")
    assert terminal.exit_code() == 0


def test_the_last_answer_is_copied(shell: Shell) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("/copy\r")
    terminal.wait_for("There is no answer to copy yet.")
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.send("/copy\r")
    terminal.wait_for("Copied")
    assert b"\x1b]52;c;" + base64.b64encode(b"First.") + b"\x07" in terminal.raw


def test_a_question_mark_shows_the_keys(shell: Shell) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("?\r")
    terminal.wait_for("leave words to the next person")
    assert not (shell.home / "recordings").exists()


def test_a_summary_is_asked_to_keep_what_the_user_says(shell: Shell) -> None:
    terminal = shell.terminal(script="sum")
    terminal.wait_for("sandbox ready")
    terminal.send("Tell\r")
    terminal.wait_for("of the context")
    terminal.send("/compact the names of the files\r")
    terminal.wait_for("e edits")
    terminal.send("\r")
    terminal.wait_for("context compacted")
    terminal.send("\x04")
    assert terminal.exit_code() == 0
    (asked,) = [e.data for e in read_events(shell.last()) if isinstance(e.data, SummaryRequest)]
    assert asked.instruction.endswith("keeps this above all: the names of the files")


def test_the_fill_of_a_resumed_session_stays_until_the_next_request(shell: Shell) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("one\r")
    terminal.wait_for("of the context")
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    resumed = shell.terminal("-c", script="two")
    resumed.wait_for("sandbox ready")
    resumed.wait_for("of the context")
    resumed.send("!true\r")
    resumed.wait_for("(no output)")
    resumed.pump(0.5)
    assert any("of the context" in line for line in resumed.lines())


def test_a_message_that_does_not_fit_is_said_with_the_way_back(shell: Shell) -> None:
    terminal = shell.terminal(script="overflow")
    terminal.wait_for("sandbox ready")
    terminal.send("Much\r")
    terminal.wait_for("Stopped at a limit")
    terminal.wait_for("Esc Esc goes back to before the one that is too long")
