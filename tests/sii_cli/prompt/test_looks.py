"""What keys change of the prompt's look: the panel, what is folded, the editor, suspension."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.storage.log import read_events
from tests.sii_cli.terminal import Terminal

ENTER, ESC, CTRL_G, CTRL_O, CTRL_T, CTRL_Z = "\r", "\x1b", "\x07", "\x0f", "\x14", "\x1a"
PROMPT = """
import sys
from tests.sii_cli.scripted_sii import pretend
from sii_cli.main import main
from sii_cli.prompt import session
session.LONG_ROUND = 0.0
pretend(sys.argv.pop(1))
main()
"""


def start(tmp_path: Path, *wrapped: str, ready: str = "sandbox ready", **size: int) -> Terminal:
    """`sii` with a model that keeps a list of tasks and prints a hundred lines."""
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'edited text' > \"$1\"\n")
    editor.chmod(0o755)
    (tmp_path / "workspace").mkdir()
    terminal = Terminal(
        [*wrapped, sys.executable, "-c", PROMPT, "tasks"],
        cwd=tmp_path / "workspace",
        env={"SII_HOME": str(tmp_path / "home"), "VISUAL": str(editor)},
        **size,
    )
    terminal.wait_for(ready)
    return terminal


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Terminal]:
    terminal = start(tmp_path)
    yield terminal
    terminal.child.close(force=True)


def work(prompt: Terminal) -> None:
    prompt.send("go" + ENTER)
    prompt.wait_for("Half done.")
    prompt.wait_for("in all", gone=True)


def test_the_list_of_tasks_stays_above_the_line_and_the_key_turns_the_tabs(
    prompt: Terminal,
) -> None:
    work(prompt)
    title = "[todos] · jobs · changes (Ctrl-T)"
    at = prompt.lines().index(title)
    assert prompt.lines()[at + 1 : at + 4] == ["☑ Read the tests", "▶ Mend the sum", "☐ Run them"]
    assert prompt.lines().index("›") > at
    prompt.send(CTRL_T)
    prompt.wait_for("There are no jobs.")
    prompt.send(CTRL_T)
    prompt.wait_for("Nothing in the workspace was changed.")
    prompt.send(CTRL_T)
    prompt.wait_for("todos · jobs", gone=True)


def test_what_is_folded_opens_over_the_window_and_closes_again(prompt: Terminal) -> None:
    work(prompt)
    assert "thought 0 s · 40 lines ▸" in prompt.everything()
    assert "line 20 of the thought" not in prompt.everything()
    prompt.send("half a line" + CTRL_O)
    prompt.wait_for("q or Ctrl-O closes")
    assert "line 39 of the thought" in prompt.everything()
    prompt.send("\x1b[5~" * 2)  # page up
    prompt.wait_for("│ 70")
    prompt.send("q")
    prompt.wait_for("› half a line")


def test_the_editor_takes_and_gives_back_the_line(prompt: Terminal, tmp_path: Path) -> None:
    prompt.send("first" + CTRL_G)
    prompt.wait_for("› edited text")
    prompt.send(ENTER)
    prompt.wait_for("Half done.")
    (folder,) = (tmp_path / "home" / "recordings").iterdir()
    said = [each.data.text for each in read_events(folder) if isinstance(each.data, UserMessage)]
    assert said == ["edited text"]


def test_a_suspended_prompt_goes_on_with_its_line(tmp_path: Path) -> None:
    shell = start(tmp_path, "bash", "--norc", "-ic", '"$0" "$@"; echo suspended; fg >/dev/null')
    shell.send("half typed")
    shell.wait_for("› half typed")
    shell.send(CTRL_Z)
    shell.wait_for("suspended")
    shell.send(" and more")
    shell.wait_for("› half typed and more")
    shell.child.close(force=True)


def test_the_end_of_a_long_round_rings(prompt: Terminal) -> None:
    assert b"\x07" not in prompt.raw
    work(prompt)
    prompt.pump(0.3)
    assert prompt.raw.count(b"\x07\x1b]9;sii: the round has ended\x1b\\") == 1


def test_a_narrow_window_keeps_the_fill_and_breaks_help_below_itself(tmp_path: Path) -> None:
    narrow = start(tmp_path, ready="  scripted · ●", rows=20, columns=40)
    work(narrow)
    narrow.wait_for("15 tokens (0 %)")
    assert narrow.lines()[-1].startswith("  scripted · 15 tokens")
    narrow.send("/help" + ENTER)
    narrow.wait_for("/exit          leave")
    assert "/resume        resume another session:\n               chosen from" in (
        narrow.everything()
    )
    narrow.child.close(force=True)


def test_the_user_chooses_keys_and_editor(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys.toml").write_text('"c-t" = "f2"\n')
    (home / "config.toml").write_text('editing = "vi"\n')
    prompt = start(tmp_path)
    prompt.send("helo" + ESC)
    prompt.pump(0.3)
    prompt.send("il" + ESC)  # vi: insert before the last character
    prompt.wait_for("› hello")
    prompt.send("ddi")
    prompt.wait_for("hello", gone=True)
    prompt.send(ESC)  # on an empty line, too
    prompt.wait_for("Esc again goes back")
    prompt.send("ihi")
    prompt.wait_for("› hi")
    prompt.send(ESC)
    prompt.pump(0.3)
    prompt.send("ddi")
    work(prompt)
    prompt.send("\x1bOQ")  # F2
    prompt.wait_for("There are no jobs.")
    prompt.child.close(force=True)
