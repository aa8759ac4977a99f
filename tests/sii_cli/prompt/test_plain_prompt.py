"""`sii --plain`: a prompt of lines, each with a word in front; nothing is drawn again."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from recordings.events import PermissionAnswer, UserMessage
from recordings.storage.log import read_events
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

ENTER, CTRL_C, CTRL_D = "\r", "\x03", "\x04"


@pytest.fixture
def plain(shell: Shell) -> Iterator[list[Terminal]]:
    """Terminals that are closed after the test."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.child.close()


def at_the_prompt(plain: list[Terminal], shell: Shell, script: str, **env: str) -> Terminal:
    terminal = shell.terminal("--plain", script=script, TERM="dumb", **env)
    plain.append(terminal)
    terminal.wait_for("Ready: Write a message")
    return terminal


def transcript(shell: Shell, terminal: Terminal) -> str:
    """What the terminal was sent, with what was typed."""
    text = terminal.raw.decode().replace("\r\n", "\n")
    assert not re.search(r"[\x00-\x06\x08\x0b-\x1f]", text), "a control sequence"
    for folder, name in ((shell.home, "HOME"), (shell.workspace, "WORKSPACE")):
        text = text.replace(str(folder), name)
    return re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "ID", text)


def messages(shell: Shell) -> list[str]:
    return [e.data.text for e in read_events(shell.last()) if isinstance(e.data, UserMessage)]


def test_a_session_of_lines(plain: list[Terminal], shell: Shell) -> None:
    terminal = at_the_prompt(plain, shell, "undo", SII_PERMISSIONS="ask")
    terminal.send("please\rpush\r\r")
    terminal.wait_for("Question: May bash run")
    terminal.pump(0.5)
    terminal.send("7" + ENTER)
    terminal.wait_for("not one of the answers")
    terminal.send("4" + ENTER)
    terminal.wait_for("Why not?")
    terminal.pump(0.5)
    terminal.send("not today" + ENTER)
    terminal.wait_for("Ready: 2 steps")
    terminal.send("/exit" + ENTER)
    assert terminal.exit_code() == 0
    assert transcript(shell, terminal) == GOLDEN
    (answer,) = [e.data for e in read_events(shell.last()) if isinstance(e.data, PermissionAnswer)]
    assert (answer.answer, answer.words) == ("no", "not today")


GOLDEN = """\
sii 0.1.0 · /help shows the keys
Type a task: the model works on it in a sandbox that sees this directory and no network.
Everything is recorded in HOME; /off ends that, /forget deletes it.
Ready: Write a message and end it with an empty line; /help lists the commands.
please
push

Session: sii 0.1.0 · scripted · http://scripted/v1 · WORKSPACE
Sandbox: sandbox ready after 0.0 s · fake · no network
You: please
  push
Proposed: bash  echo new > made.txt
Question: May bash run: > made.txt? 1 once · 2 for this session (bash: > made.txt) · 3 no · \
4 no, and why
7
Question: That is not one of the answers.
4
Question: Why not? · empty line gives no reason
not today
Refused: not today
Failed: The human did not allow this call. They said: “not today”
Answer: Made.
Ready: 2 steps, 15 tokens (0 % of the context)
/exit

Recorded: sii replay ID (or `last`) plays it.
"""


def test_a_list_is_answered_by_a_number(plain: list[Terminal], shell: Shell) -> None:
    terminal = at_the_prompt(plain, shell, "two")
    terminal.send("one\r\r")
    terminal.wait_for("Answer: First.")
    terminal.wait_for("Ready: 1 steps")
    terminal.send("/rewind" + ENTER)
    terminal.wait_for("Question: Its number")
    terminal.pump(0.5)
    terminal.send("1" + ENTER)
    terminal.wait_for("c conversation")
    terminal.pump(0.5)
    terminal.send("c" + ENTER)
    terminal.wait_for("Why?")
    terminal.pump(0.5)
    terminal.send("t" + ENTER)
    terminal.wait_for("Kept: one")
    terminal.send(ENTER)
    terminal.wait_for("Answer: Second.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert messages(shell) == ["one"]


def test_ctrl_c_interrupts_and_what_steered_is_kept(plain: list[Terminal], shell: Shell) -> None:
    terminal = at_the_prompt(plain, shell, "slow-tool")
    terminal.send("go\r\r")
    terminal.wait_for("Call: bash  echo begun; sleep 30")
    terminal.send("only the first\r\r")
    terminal.pump(0.5)
    terminal.send(CTRL_C)
    terminal.wait_for("Session: Interrupted.")
    terminal.wait_for("Kept: only the first")
    terminal.send(CTRL_C)
    terminal.wait_for("Ctrl-C again leaves.")
    terminal.send(CTRL_C)
    assert terminal.exit_code() == 0
    assert messages(shell) == ["go"]


def test_a_session_is_chosen_by_its_number_and_resumed(plain: list[Terminal], shell: Shell) -> None:
    first = at_the_prompt(plain, shell, "two")
    first.send("one\r\r")
    first.wait_for("Answer: First.")
    first.send(CTRL_D)
    assert first.exit_code() == 0
    again = shell.terminal("--plain", "-r", script="two", TERM="dumb")
    plain.append(again)
    again.wait_for("Its number")
    again.send("1" + ENTER)
    again.wait_for("sii: Resumed")
    again.wait_for("You: one")
    again.child.kill(signal.SIGTERM)
    assert again.exit_code() == 0


def test_one_task_has_no_plain_prompt(shell: Shell) -> None:
    done = shell.sii("-p", "x", "--plain")
    assert done.returncode == 2
    assert "`--plain` is for the prompt" in done.stderr


def test_a_terminal_that_cannot_draw_is_told_of_the_plain_prompt(shell: Shell) -> None:
    terminal = shell.terminal(script="two", TERM="dumb")
    terminal.wait_for("use `sii --plain`")
    assert terminal.exit_code() == 2
