"""What can go wrong with what is typed at the prompt: each has its sentence and loses nothing."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.events import UserMessage
from recordings.storage.log import LOG, read_events
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

ENTER, ESC, CTRL_C, CTRL_D, UP = "\r", "\x1b", "\x03", "\x04", "\x1b[A"
BEGIN, END = f"{ESC}[200~", f"{ESC}[201~"


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals that are closed after the test."""
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.child.close(force=True)


def at_the_prompt(opened: list[Terminal], shell: Shell, script: str = "two") -> Terminal:
    terminal = shell.terminal(script=script)
    opened.append(terminal)
    terminal.wait_for("sandbox ready")
    return terminal


def said(folder: Path) -> list[str]:
    return [e.data.text for e in read_events(folder) if isinstance(e.data, UserMessage)]


def send_and_leave(terminal: Terminal, answer: str = "First.") -> None:
    terminal.send(ENTER)
    terminal.wait_for(answer)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0


def test_a_paste_of_ten_thousand_lines_is_folded_and_sent_whole(
    shell: Shell, opened: list[Terminal]
) -> None:
    terminal = at_the_prompt(opened, shell)
    text = "".join(f"line {number}\n" for number in range(10_000))
    terminal.send(f"before {BEGIN}{text}{END}after")
    terminal.wait_for("› before [paste 1: 10,000 lines]after")
    send_and_leave(terminal)
    assert said(shell.last()) == [f"before {text}after"]


def test_the_bytes_of_a_binary_paste_are_counted_and_never_recorded(
    shell: Shell, opened: list[Terminal]
) -> None:
    terminal = at_the_prompt(opened, shell)
    terminal.child.send(b"\x1b[200~words \xff\xfe\x80 more\x1b[201~")
    terminal.wait_for("3 bytes of this are not text (UTF-8): \N{REPLACEMENT CHARACTER} stands")
    send_and_leave(terminal)
    assert said(shell.last()) == ["words \ufffd\ufffd\ufffd more"]
    assert b"\\udc" not in (shell.last() / LOG).read_bytes()


def test_escape_sequences_of_a_paste_are_text(shell: Shell, opened: list[Terminal]) -> None:
    terminal = at_the_prompt(opened, shell)
    hostile = f"{ESC}]0;owned\x07{ESC}[2J{ESC}[31mred"
    terminal.send(f"{BEGIN}{hostile}{END}")
    terminal.wait_for("red")
    send_and_leave(terminal)
    assert said(shell.last()) == [hostile]
    assert b"\x1b]0;owned" not in terminal.raw


@pytest.mark.parametrize("content", [b"\xff\x00\n+one\n+\n\x1b[2J", b"+" * 100_000])
def test_a_history_that_is_broken_costs_no_message(
    shell: Shell, opened: list[Terminal], content: bytes
) -> None:
    shell.home.mkdir()
    (shell.home / "history").write_bytes(content)
    terminal = at_the_prompt(opened, shell)
    terminal.send("words")
    terminal.wait_for("› words")
    send_and_leave(terminal)
    assert said(shell.last()) == ["words"]
    assert (shell.home / "history").read_bytes().startswith(content)


def test_two_prompts_share_a_history(shell: Shell, opened: list[Terminal]) -> None:
    one, other = (at_the_prompt(opened, shell) for _ in range(2))
    one.send("from one")
    one.wait_for("› from one")
    other.send("from the other")
    other.wait_for("› from the other")
    send_and_leave(one)
    send_and_leave(other)
    third = at_the_prompt(opened, shell)
    third.send(UP)
    third.wait_for("› from the other")
    third.send(UP)
    third.wait_for("› from one")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("@@../secret", "is outside of the workspace"),
        ("@@/etc/hostname", "is outside of the workspace"),
        ("@@gone", "No such file"),
        ("@@link", "cannot be attached"),
    ],
)
def test_what_cannot_be_attached_is_told_and_the_message_kept(
    shell: Shell, opened: list[Terminal], name: str, says: str
) -> None:
    (shell.workspace.parent / "secret").write_text("secret")
    (shell.workspace / "link").symlink_to("../secret")
    terminal = at_the_prompt(opened, shell)
    terminal.send(f"look at {name} {ENTER}")
    terminal.wait_for(says)
    terminal.send(UP)
    terminal.wait_for(f"› look at {name}")
    assert not (shell.home / "recordings").exists()


def test_a_path_with_a_newline_completes_nothing_that_is_not_a_path(
    shell: Shell, opened: list[Terminal]
) -> None:
    (shell.workspace / "odd\n/exit").parent.mkdir()
    (shell.workspace / "odd\n" / "exit").touch()
    (shell.workspace / "odd.py").touch()
    terminal = at_the_prompt(opened, shell)
    terminal.send("@odd")
    terminal.wait_for("odd.py")
    assert len([line for line in terminal.lines() if line.startswith("›")]) == 1
    terminal.send(CTRL_C + CTRL_D)


def test_damaged_recordings_are_listed_and_the_others_resumed(
    shell: Shell, opened: list[Terminal]
) -> None:
    assert shell.sii("-p", "go", script="hello").returncode == 0
    good = shell.last()
    for number in range(3):
        damaged = good.with_name(f"20260101-00000{number}-abcdef")
        shutil.copytree(good, damaged)
        (damaged / LOG).write_bytes((b"", b"\xff\x00{", (good / LOG).read_bytes()[:100])[number])
    terminal = shell.terminal("-r", script="two")
    opened.append(terminal)
    terminal.wait_for("Resume a session")
    terminal.wait_for("tokens")
    terminal.send(ENTER)
    terminal.wait_for(f"Resumed {good.name}")
    assert "Traceback" not in terminal.everything()


def test_a_terminal_that_closes_loses_nothing_that_was_sent(
    shell: Shell, opened: list[Terminal]
) -> None:
    terminal = at_the_prompt(opened, shell, "slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("│ begun")
    terminal.send("and this" + ENTER)
    terminal.wait_for("after this step: and this")
    opened.remove(terminal)
    child: Any = terminal.child
    child.ptyproc.fileobj.close()
    child.wait()
    again = shell.terminal("-c", script="pushed")
    opened.append(again)
    again.wait_for("› and this")
    assert said(shell.last()) == ["go"]


def test_a_prompt_that_was_stopped_goes_on_as_it_was(shell: Shell, opened: list[Terminal]) -> None:
    terminal = at_the_prompt(opened, shell, "paced")
    terminal.send("go" + ENTER)
    terminal.wait_for("one two")
    terminal.child.kill(signal.SIGSTOP)
    terminal.send("typed meanwhile")
    terminal.pump(0.5)
    terminal.child.kill(signal.SIGCONT)
    terminal.wait_for("› typed meanwhile")
    terminal.wait_for("one two three four five")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send(CTRL_C)
    terminal.wait_for("› typed meanwhile", gone=True)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert said(shell.last()) == ["go"]


def test_a_server_that_changes_its_model_is_told_and_the_message_kept(
    shell: Shell, opened: list[Terminal]
) -> None:
    terminal = at_the_prompt(opened, shell, "other-model")
    terminal.send("go" + ENTER)
    terminal.wait_for("The server serves another model now.")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send(UP)
    terminal.wait_for("› go")
    assert said(shell.last()) == ["go"]
