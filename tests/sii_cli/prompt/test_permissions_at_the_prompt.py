"""The question whether a call may run, as a human sees and answers it in a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest
from pexpect.exceptions import ExceptionPexpect

from recordings.events import (
    Observation,
    PermissionAnswer,
    PermissionRequest,
    ToolCall,
    UserMessage,
)
from recordings.storage.log import read_events
from tests.fakes.consenting import consented
from tests.sii_cli.terminal import Terminal

ESC, CTRL_D, ENTER, SHIFT_TAB = "\x1b", "\x04", "\r", "\x1b[Z"
ALT_1 = ESC + "1"
QUESTION = "? May bash run: echo pushed"

Prompt = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def prompt(tmp_path: Path, home: Path) -> Iterator[Prompt]:
    """Start `sii` with a scripted model and a rule that asks."""
    (tmp_path / "workspace").mkdir()
    home.mkdir()
    consented(home)
    (home / "config.toml").write_text(
        'speaker = "ada"\npermission_rules = ["bash: echo push* -> ask"]\n'
    )
    started: list[Terminal] = []

    def start(script: str, *arguments: str, **size: int) -> Terminal:
        argv = [sys.executable, "-m", "tests.sii_cli.scripted_sii", script, *arguments]
        terminal = Terminal(argv, cwd=tmp_path / "workspace", env={"SII_HOME": str(home)}, **size)
        started.append(terminal)
        narrow = size.get("columns", 100) < 60
        terminal.wait_for("  scripted · ●" if narrow else "sandbox ready")
        return terminal

    yield start
    for terminal in started:
        with suppress(ExceptionPexpect):  # a loaded machine takes longer to end it
            terminal.child.close(force=True)


def asked(prompt: Prompt, **size: int) -> Terminal:
    """A prompt that shows the question, long enough for its keys."""
    terminal = prompt("push", **size)
    terminal.send("go" + ENTER)
    terminal.wait_for("4 no, and why")
    terminal.pump(0.5)
    return terminal


def recorded(home: Path, *types: type) -> list[object]:
    (folder,) = (home / "recordings").iterdir()
    return [event.data for event in read_events(folder) if isinstance(event.data, types)]


@pytest.mark.parametrize(
    ("rows", "columns", "shown"),
    [
        (
            24,
            80,
            """\
            ? May bash run: echo pushed
              1 once · 2 for this session (bash: echo pushed*) · 3 no · 4 no, and why
            ›
            """,
        ),
        (
            20,
            40,
            """\
            ? May bash run: echo pushed
              1 once
              2 for this session (bash: echo pushe…
              3 no
              4 no, and why
            ›
            """,
        ),
    ],
)
def test_the_question_stands_above_the_line(
    prompt: Prompt, rows: int, columns: int, shown: str
) -> None:
    terminal = asked(prompt, rows=rows, columns=columns)
    assert dedent(shown).strip("\n") in "\n".join(terminal.lines())
    assert "● bash  echo pushed" in terminal.everything()
    assert "asked by the rule bash: echo push*" in terminal.everything()


def test_yes_runs_the_call_and_is_recorded_with_who_said_it(prompt: Prompt, home: Path) -> None:
    terminal = asked(prompt)
    terminal.send("1")
    terminal.wait_for("allowed by ada")
    terminal.wait_for("Pushed.")
    [request] = recorded(home, PermissionRequest)
    assert request == PermissionRequest(
        step=1,
        call_id="call-0",
        name="bash",
        about=["echo pushed"],
        rule="bash: echo push* -> ask",
        mode="auto",
    )
    [answer] = recorded(home, PermissionAnswer)
    assert answer == PermissionAnswer(step=1, call_id="call-0", answer="once", speaker="ada")
    [call] = recorded(home, ToolCall)
    assert isinstance(call, ToolCall)
    assert (call.approval.by, call.approval.rule) == ("human", "bash: echo push* -> ask")


def test_enter_never_answers_and_what_is_typed_stays(prompt: Prompt, home: Path) -> None:
    terminal = asked(prompt)
    terminal.send(ENTER)
    terminal.send("1 or 2, 3")
    terminal.wait_for("Alt-1 once")
    terminal.send("x")
    terminal.wait_for("› 1 or 2, 3x")
    assert not recorded(home, PermissionAnswer)
    terminal.send(ALT_1)
    terminal.wait_for("Pushed.")


def test_a_key_that_comes_with_the_question_goes_to_the_line(prompt: Prompt, home: Path) -> None:
    terminal = prompt("push")
    terminal.send("go" + ENTER)
    while "May bash run" not in terminal.everything():
        terminal.pump()
    terminal.send("3")
    terminal.wait_for("› 3")
    assert not recorded(home, PermissionAnswer)


def test_no_with_words_takes_the_line_and_gives_it_back(prompt: Prompt, home: Path) -> None:
    terminal = asked(prompt)
    terminal.send("half a thou")
    terminal.wait_for("half a thou")
    terminal.send(ESC + "4")
    terminal.wait_for("Why not?")
    terminal.send(ESC)
    terminal.wait_for("Why not?", gone=True)
    terminal.wait_for("› half a thou")
    terminal.send(ESC + "4")
    terminal.wait_for("Why not?")
    terminal.send("Not to main." + ENTER)
    terminal.wait_for("not allowed: Not to main.")
    terminal.wait_for("› half a thou")
    terminal.wait_for("Pushed.")
    [observation] = recorded(home, Observation)
    assert isinstance(observation, Observation)
    assert observation.error == "rejected"
    assert observation.text == ("The human did not allow this call. They said: “Not to main.”")
    assert not [one for one in recorded(home, UserMessage) if "main" in str(one)]


def test_for_the_session_is_kept_and_listed(prompt: Prompt, home: Path) -> None:
    terminal = asked(prompt)
    terminal.send("2")
    terminal.wait_for("Pushed.")
    terminal.send("again" + ENTER)
    terminal.wait_for("Pushed again.")
    assert len(recorded(home, PermissionRequest)) == 1
    terminal.send("/rules" + ENTER)
    terminal.wait_for("bash: echo pushed* -> allow  (allowed for this session)")
    terminal.wait_for("config.toml)")
    terminal.wait_for("asked (bash: echo push* -> ask), allowed for the session")


def test_escape_interrupts_and_the_call_does_not_run(prompt: Prompt, home: Path) -> None:
    terminal = asked(prompt)
    terminal.send(ESC)
    terminal.wait_for("Interrupted.")
    terminal.wait_for("May bash run", gone=True)
    [observation] = recorded(home, Observation)
    assert isinstance(observation, Observation)
    assert observation.error == "not_run"
    assert not recorded(home, ToolCall)


def test_shift_tab_asks_from_the_next_call_on(prompt: Prompt) -> None:
    terminal = prompt("work", columns=200)
    terminal.send(SHIFT_TAB)
    terminal.wait_for("asks before changes")
    terminal.send(SHIFT_TAB)
    terminal.wait_for("asks before changes", gone=True)


@pytest.mark.parametrize("state", ["asked", "reason", "answered"])
def test_a_killed_prompt_asks_again_and_runs_nothing_unasked(
    prompt: Prompt, home: Path, state: str
) -> None:
    terminal = asked(prompt)
    if state == "reason":
        terminal.send("4")
        terminal.wait_for("Why not?")
    pid = terminal.child.pid
    assert pid is not None
    if state == "answered":
        os.kill(pid, signal.SIGSTOP)
        terminal.send("1")
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert len(recorded(home, PermissionRequest)) == 1
    assert not recorded(home, ToolCall, Observation)
    (folder,) = (home / "recordings").iterdir()
    resumed = prompt("pushed", "-r", folder.name)
    resumed.wait_for("4 no, and why")
    resumed.pump(0.5)
    resumed.send("1")
    resumed.wait_for("Pushed.")
    assert len(recorded(home, PermissionRequest)) == 2
    assert len(recorded(home, ToolCall)) == 1
