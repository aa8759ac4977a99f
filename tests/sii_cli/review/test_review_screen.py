"""`sii review` in a terminal: nothing is lost, and nothing is sent by chance."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from recordings.reviews.reviews import read_reviews
from recordings.storage.log import LOG
from tests.recordings.stepped_session import SteppedSession
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

_COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m")
HOSTILE = "\x1b[2J\x1b]0;owned\x07 \x9b31m \u202etxt"


@pytest.fixture
def folder(shell: Shell) -> Path:
    return record(shell)


def record(shell: Shell, task: str = "Fix the rounding.") -> Path:
    _, folder = shell.store.create_folder()
    session = SteppedSession(folder, key=shell.key, query=f"q {HOSTILE}", rubric=f"r {HOSTILE}")
    session.message(f"{task} {HOSTILE}")
    lines = "\n".join(f"line {number}" for number in range(40))
    session.call("bash", '{"command": "ls"}', text=f"{HOSTILE}\n{lines}", exit_code=0)
    session.call("bash", '{"command": "pytest | tail"}', text="1 failed", exit_code=0)
    session.answer(f"Done. {HOSTILE}")
    session.recorder.close()
    return folder


def review(shell: Shell, *args: str, rows: int = 30, columns: int = 100, **env: str) -> Terminal:
    argv = shell.argv("review", "--speaker", "ada", *args)
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env | env, rows=rows, columns=columns)
    terminal.wait_for("no verdict")  # keys that come before the recording was read do nothing
    return terminal


def shows(terminal: Terminal, *texts: str, without: tuple[str, ...] = ()) -> None:
    begun = time.monotonic()
    while True:
        window = "\n".join(terminal.lines())
        if all(text in window for text in texts) and not any(text in window for text in without):
            return
        assert time.monotonic() - begun < 30, window
        terminal.pump()


def test_an_item_is_judged_by_keys_alone(shell: Shell, folder: Path) -> None:
    (shell.workspace / "rubric.txt").write_text("goal reached\nchecks its work\n")
    terminal = review(shell, "last", "--rubric", "rubric.txt")
    shows(terminal, "first screen", "Fix the rounding.", "goal reached [–]")
    terminal.send("e")
    shows(terminal, "step 2 of 3", "pytest | tail", "1 failed")
    terminal.send("f1")
    shows(terminal, "◆ wrong")
    terminal.send("45")
    shows(terminal, "goal reached [4]", "checks its work [5]")
    terminal.send("\r\r\r")  # Enter sends nothing
    terminal.send("a")
    shows(terminal, "✓ APPROVE")
    assert read_reviews(folder) == []
    terminal.send("y")
    assert terminal.exit_code() == 0, terminal.everything()
    assert "is approved" in terminal.everything()
    (kept,) = read_reviews(folder)
    assert (kept.verdict, [step.flags for step in kept.steps]) == ("approve", [("wrong",)])
    assert [answer.value for answer in kept.rubric.values()] == [4.0, 5.0]
    assert kept.coverage is not None
    assert (kept.coverage.steps, kept.coverage.of_steps) == (1, 4)
    assert kept.seconds is not None
    assert list((shell.home / "drafts").iterdir()) == []


def test_a_kill_loses_nothing(shell: Shell, folder: Path) -> None:
    terminal = review(shell, "last")
    terminal.send("jjm")
    shows(terminal, "comment ›")
    terminal.send("half a sen")
    shows(terminal, "half a sen")
    terminal.child.kill(signal.SIGKILL)
    terminal.exit_code()
    assert read_reviews(folder) == []
    again = Terminal(
        shell.argv("review", "--speaker", "ada", "last"), cwd=shell.workspace, env=shell.env
    )
    shows(again, "comment › half a sen", "step 1 of 3")
    again.send("tence\r")
    shows(again, "◆ half a sentence")
    again.send("q")
    assert again.exit_code() == 0
    assert f"Your draft on {folder.name} is kept" in again.everything()


def test_nothing_of_a_recording_is_obeyed(shell: Shell, folder: Path) -> None:
    terminal = review(shell, "last")
    for key in ("j", "j", "o", "d", "G", "g", "?"):
        terminal.send(key)
        terminal.pump(0.3)
    terminal.send("?q")
    assert terminal.exit_code() == 0
    assert b"\x1b]0;owned" not in terminal.raw
    assert b"\xc2\x9b" not in terminal.raw
    assert "\u202e".encode() not in terminal.raw


def test_a_thin_verdict_says_so_where_it_is_read(shell: Shell, folder: Path) -> None:
    shell.home.mkdir(exist_ok=True)
    (shell.home / "review.toml").write_text("coverage_floor = 0.5\n")
    terminal = review(shell, "last")
    terminal.send("jay")
    shows(terminal, "1 of 4 steps opened, below the 50% that the protocol wants")
    terminal.send("y")
    assert terminal.exit_code() == 0, terminal.everything()
    said = "1 of 4 steps opened, below the 50% that the protocol wants"
    assert said in shell.sii("reviews", "last").stdout
    assert "below coverage_floor" in shell.sii("stats", "--agreement").stdout
    shell.sii("export", "data", "--format", "messages")
    card = next(shell.workspace.rglob("README.md")).read_text()
    assert "| verdicts on less of a recording than the protocol wants opened | 1 of 1 |" in card


def test_keys_of_ones_own_and_enter_sends_nothing(shell: Shell, folder: Path) -> None:
    shell.home.mkdir(exist_ok=True)
    (shell.home / "keys.toml").write_text('[review]\nletters = "alt"\n"y" = "f2"\n')
    terminal = review(shell, "last")
    shows(terminal, "letters want Alt · f2 for y")
    terminal.send("ay")  # without Alt no letter does anything
    terminal.pump(0.3)
    terminal.send("\x1ba")
    shows(terminal, "✓ APPROVE")
    terminal.send("\r\ry")
    terminal.pump(0.3)
    assert read_reviews(folder) == []
    terminal.send("\x1bOQ")
    assert terminal.exit_code() == 0, terminal.everything()
    assert [one.verdict for one in read_reviews(folder)] == ["approve"]


def test_a_narrow_window_and_another_size(shell: Shell, folder: Path) -> None:
    terminal = review(shell, "last", rows=20, columns=40)
    terminal.send("j")
    shows(terminal, "round 1")
    terminal.send("l")
    shows(terminal, "first screen", "bash ls")
    assert all(len(line) <= 40 for line in terminal.lines())
    terminal.send("le")
    shows(terminal, "step 2 of 3")
    terminal.resize(30, 110)
    shows(terminal, "first screen", "│● bash  pytest | tail")
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_no_colour_where_none_is_wanted(shell: Shell, folder: Path) -> None:
    terminal = review(shell, "last", NO_COLOR="1")
    terminal.send("je")
    shows(terminal, "step 2 of 3")
    terminal.send("q")
    assert terminal.exit_code() == 0
    assert _COLOUR.search(terminal.raw) is None


def test_a_broken_recording_is_not_judged(shell: Shell, folder: Path) -> None:
    log = folder / LOG
    log.write_bytes(log.read_bytes().replace(b"You are an agent.", b"You are a robot!!", 1))
    argv = shell.argv("review", "--speaker", "ada", "last")
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env)
    assert terminal.exit_code() == 1
    assert f"{folder.name} is broken" in terminal.everything()
    assert "Traceback" not in terminal.everything()


def test_a_queue_goes_on_defers_and_is_left(shell: Shell) -> None:
    folders = [record(shell, f"task {number}") for number in range(3)]
    terminal = review(shell)
    shows(terminal, "1 of 3", "first screen")
    terminal.send("a")
    shows(terminal, "APPROVE")
    terminal.send("y")
    shows(terminal, "2 of 3", "TASK", "no verdict")
    terminal.send(".")
    shows(terminal, "3 of", "TASK", "no verdict")
    terminal.send("q")
    assert terminal.exit_code() == 0, terminal.everything()
    assert sorted(len(read_reviews(folder)) for folder in folders) == [0, 0, 1]


def test_plain_is_for_a_screen_reader(shell: Shell, folder: Path) -> None:
    argv = shell.argv("review", "--speaker", "ada", "--plain", "last")
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env)
    terminal.wait_for("— event")
    terminal.send("q\n")
    assert terminal.exit_code() == 0
    assert b"\x1b[?1049h" not in terminal.raw
    assert os.listdir(shell.home).count("drafts") == 0


def test_a_home_without_recordings_is_one_sentence(shell: Shell) -> None:
    argv = shell.argv("review", "--speaker", "ada")
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env)
    assert terminal.exit_code() == 0
    assert "There are no recordings" in terminal.everything()
    assert not shell.home.exists()


def test_a_task_on_one_long_line_leaves_room_for_the_rest_of_the_first_screen(shell: Shell) -> None:
    record(shell, task="x" * 3_000_000)
    terminal = review(shell, "last", rows=24, columns=80)
    shows(terminal, "TASK", "xxx", "(o opens it)", "ANSWER", "Done.")


def test_the_next_item_says_what_was_sent(shell: Shell, folder: Path) -> None:
    record(shell, task="Another task.")
    terminal = review(shell)
    shows(terminal, "1 of 2")
    terminal.send("ay")
    shows(terminal, "2 of 2", "sent: ✓ approve")
    terminal.send("j")
    shows(terminal, "round 1", without=("sent: ",))
