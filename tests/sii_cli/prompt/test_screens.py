"""What the prompt shows at three sizes, each kept as a text file in `screens/`.

`SCREENS=write` writes the files again: look at what changed before you keep it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from pexpect.exceptions import ExceptionPexpect

from tests.fakes.consenting import consented
from tests.sii_cli.terminal import Terminal

pytestmark = pytest.mark.slow

KEPT = Path(__file__).with_name("screens")
SIZES = {"80x24": (24, 80), "120x40": (40, 120), "40x20": (20, 40)}
MOST_SCROLLED = 2
ESC, ENTER, CTRL_O = "\x1b", "\r", "\x0f"
ROOT = "/tmp/sii-screens-12345678"
"""What stands in the screens for the folder of a run: its name is as long."""
CHANGES = (
    (r"\d{8}-\d{6}-[0-9a-f]{6}", "20260102-030405-0a1b2c"),
    (r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠋"),
    (r"\d+(\.\d)? (s\b|…)", r"0 \2"),
    (r"(system prompt|tools) +[\d,]+", r"\1 N"),
    (r"\d+(\.\d)? tokens/s", "0 tokens/s"),
    (r"~[\d,]+ tokens \(\d+ %", "~N tokens (N %"),
    (r" · \d+ s in all", ""),
    (r"( +)(just now|\d+ s ago|1 m ago)", r"\1just now"),
)
"""What differs from run to run."""


class Step(NamedTuple):
    """Keys, and what shows that they were answered; with `screen` the screen is compared then."""

    keys: str
    shows: str
    screen: str = ""
    gone: bool = False


class Journey(NamedTuple):
    """Steps through one session."""

    name: str
    script: str
    steps: tuple[Step, ...]
    rules: str = ""
    home: Literal["kept", "new"] = "kept"


JOURNEYS = (
    Journey(
        "answers",
        "rich",
        (
            Step("", "●", "first"),
            Step("/help" + ENTER, "/exit", "help"),
            Step("Show" + ENTER, "second"),
            Step("", "15 tokens (", "answer"),
            Step("/status" + ENTER, "written", "status"),
            Step("/panel jobs" + ENTER, "There are no jobs.", "panel of jobs"),
            Step(CTRL_O, "closes", "opened output"),
        ),
    ),
    Journey(
        "leaving",
        "two",
        (
            Step("one" + ENTER, "First."),
            Step("", "15 tokens ("),
            Step("", "(Esc", gone=True),
            Step("/exit" + ENTER, "Is the task done?", "exit question"),
        ),
    ),
    Journey(
        "going back",
        "undo",
        (
            Step("Do it" + ENTER, "Made."),
            Step("/rewind" + ENTER, "Go back to before", "messages to go back to"),
            Step(ENTER, "b files", "preview of what goes back"),
            Step("b", "Why?", "reason"),
            Step(ENTER, "Why?", gone=True),
            Step("/undo" + ENTER, "Restore these", "undo"),
            Step(ENTER, "Restore these", gone=True),
            Step("/resume" + ENTER, "Resume a session", "sessions"),
            Step(ESC, "Resume a session", gone=True),
        ),
    ),
    Journey(
        "permission",
        "push",
        (Step("go" + ENTER, "4 no", "question of a call"),),
        rules='permission_rules = ["bash: echo push* -> ask"]\n',
    ),
    Journey(
        "steering",
        "slow-tool",
        (
            Step("go" + ENTER, "running bash"),
            Step("only 最初 🌍" + ENTER, "after this step"),
            Step("and then" + ESC + ENTER, "queued", "messages that wait"),
        ),
    ),
    Journey("parallel", "parallel", (Step("go" + ENTER, "All three.", "parallel calls"),)),
    Journey("tasks", "tasks", (Step("go" + ENTER, "Half done.", "tasks and a folded thought"),)),
    Journey("retry", "slow-retry", (Step("go" + ENTER, "retry in", "a retry"),)),
    Journey("consent", "two", (Step("", "y yes", "consent"),), home="new"),
)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder whose name is always as long."""
    folder = Path(tempfile.mkdtemp(prefix="sii-screens-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.name)
def test_the_screens_are_those_that_are_kept(root: Path, journey: Journey, size: str) -> None:
    rows, columns = SIZES[size]
    (root / "workspace").mkdir()
    (root / "home").mkdir()
    (root / "home" / "config.toml").write_text('speaker = "ada"\n' + journey.rules)
    if journey.home == "kept":
        consented(root / "home")
        (root / "home" / "recordings").mkdir()
    argv = [sys.executable, "-m", "tests.sii_cli.scripted_sii", journey.script]
    env = {"SII_HOME": str(root / "home")}
    terminal = Terminal(argv, cwd=root / "workspace", env=env, rows=rows, columns=columns)
    try:
        if journey.home == "kept":
            terminal.wait_for("sandbox ready" if columns > 60 else "· ●")
        for step in journey.steps:
            terminal.send(step.keys)
            terminal.wait_for(step.shows, gone=step.gone)
            if step.screen:
                compare(terminal, root, f"{step.screen} {size}".replace(" ", "-"))
    finally:
        with suppress(ExceptionPexpect):
            terminal.child.close(force=True)


def compare(terminal: Terminal, root: Path, name: str) -> None:
    """Compare the screen, once it rests, with the one that is kept."""
    kept = KEPT / f"{name}.txt"
    if os.environ.get("SCREENS") == "write":
        terminal.pump(1.5)
        kept.write_text(shown(terminal, root))
        return
    with suppress(AssertionError):
        terminal.wait_until(lambda: _same(shown(terminal, root), kept.read_text()), patience=20.0)
    if not _same(found := shown(terminal, root), kept.read_text()):
        assert found == kept.read_text()


def _same(found: str, kept: str) -> bool:
    """Compare two windows from their last line on.

    How far a window has scrolled depends on the most rows that were ever live in it, and whether
    a row of a moment was drawn depends on the machine.
    """
    short, long = sorted((found, kept), key=len)
    return (
        f"\n{long}".endswith(f"\n{short}") and long.count("\n") - short.count("\n") <= MOST_SCROLLED
    )


def shown(terminal: Terminal, root: Path) -> str:
    """Return the window, without what differs from run to run."""
    broken = "\n?".join(re.escape(one) for one in str(root))
    text = re.sub(broken, _root_as_long, "\n".join(terminal.lines()))
    for pattern, changed in CHANGES:
        text = re.sub(pattern, changed, text)
    return text + "\n"


def _root_as_long(found: re.Match[str]) -> str:
    """Return `ROOT`, broken where the folder's name is."""
    at = found[0].find("\n")
    return ROOT if at < 0 else f"{ROOT[:at]}\n{ROOT[at:]}"
