"""At the prompt: panels by name, Ctrl-D as `/exit`, the output of a command while it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recordings.events import Event, PortOpened
from recordings.reviews.reviews import counted_reviews
from sandbox.protocol import Job
from sii_cli.prompt.drawing import Drawing
from sii_cli.prompt.panel import Panel
from sii_cli.prompt.view import View
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


def test_the_panel_of_jobs_shows_the_ports_that_they_listen_on() -> None:
    panel = Panel()
    panel.show("jobs")
    job = Job(1, "npm run dev", running=True, seconds=7.0, ports=(5173, 24678))
    ended = replace(job, running=False, exit_code=1)
    shown = "[job 1 has been running for 7 s: npm run dev]"
    assert panel.rows([job], 100)[1:] == [f"port 5173, port 24678 · {shown}"]
    assert panel.rows([ended], 100)[1:] == ["[job 1 ended with exit code 1: npm run dev]"]


def test_a_port_is_said_once_between_rounds_or_within_one() -> None:
    screen = View.__new__(View)
    printed: list[str] = []
    drawing = Drawing(screen, fold_thoughts=True)
    drawing.say = lambda *lines, style="": printed.extend(lines)  # type: ignore[method-assign]
    drawing.say_port(1, 8000)
    assert printed == ["Job 1 listens on port 8000: /open 8000 shows it in your browser."]
    events = [PortOpened(sandbox_id="s", job=1, port=port) for port in (8000, 8001)]
    items = [Event("s", number, 0.0, 0.0, "harness", data) for number, data in enumerate(events)]
    assert [drawing._was_said(item) for item in items] == [True, False]


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
