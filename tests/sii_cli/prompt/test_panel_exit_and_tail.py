"""At the prompt: panels by name, Ctrl-D as `/exit`, the output of a command while it runs."""

from __future__ import annotations

from pathlib import Path

from recordings.reviews.reviews import counted_reviews
from tests.sii_cli.prompt.test_prompt import CTRL_D, ENTER, Prompt, home, prompt

__all__ = ["home", "prompt"]


def test_panels_are_shown_by_name(prompt: Prompt) -> None:
    terminal = prompt("hello")
    terminal.send("/panel diff" + ENTER)
    terminal.wait_for("[changes]")
    terminal.send("/panel jobs" + ENTER)
    terminal.wait_for("There are no jobs.")
    terminal.send("/panel" + ENTER)
    terminal.wait_for("[changes]")
    terminal.send("/panel all" + ENTER)
    terminal.wait_for("takes `todos`, `jobs`, `diff` or nothing behind it")


def test_ctrl_d_asks_whether_the_task_is_done(prompt: Prompt, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('speaker = "ada"\n')
    terminal = prompt("hello", ready="Three questions to ada")
    terminal.send(ENTER)
    terminal.wait_for("sandbox ready")
    terminal.send("Hello" + ENTER)
    terminal.wait_for("Hello there.")
    terminal.wait_for("tokens")
    terminal.send(CTRL_D)
    terminal.wait_for("Is the task done?")
    terminal.send("y")
    assert terminal.exit_code() == 0
    (folder,) = (home / "recordings").iterdir()
    assert [one.verdict for one in counted_reviews(folder, None)] == ["approve"]


def test_a_command_of_ones_own_shows_what_it_writes_while_it_runs(prompt: Prompt) -> None:
    terminal = prompt("hello")
    terminal.send("!echo early; sleep 30; echo late" + ENTER)
    terminal.wait_for("early")
    terminal.wait_for("running your command")
    terminal.send("\x1b")
    terminal.wait_for("interrupted")
