"""The summary at the prompt: shown, edited in the user's editor, used by itself."""

from __future__ import annotations

from recordings.events import Compaction, SummaryEdit
from recordings.storage.log import read_events
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def summed_up(shell: Shell) -> Terminal:
    editor = shell.home / "editor.sh"
    shell.home.mkdir(exist_ok=True)
    editor.write_text("#!/bin/sh\necho 'My own words.' > \"$1\"\n")
    editor.chmod(0o755)
    argv = shell.argv(script="sum")
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env | {"EDITOR": str(editor)})
    terminal.wait_for("sandbox ready")
    terminal.send("one\r")
    terminal.wait_for("tokens")
    terminal.send("/compact\r")
    terminal.wait_for("The story in short.")
    terminal.wait_for("e edits · Enter uses (1")
    return terminal


def test_e_edits_it_and_the_edit_is_recorded(shell: Shell) -> None:
    terminal = summed_up(shell)
    terminal.send("e")
    terminal.wait_for("the human edited the summary")
    terminal.wait_for("context compacted")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    edits = [e.data for e in read_events(shell.last()) if isinstance(e.data, SummaryEdit)]
    assert [one.text for one in edits] == ["My own words."]


def test_what_is_typed_ends_the_wait_and_stays_typed(shell: Shell) -> None:
    terminal = summed_up(shell)
    terminal.send("after")
    terminal.wait_for("context compacted")
    terminal.wait_for("› after")
    terminal.send("\r")
    terminal.wait_for("After.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    kinds = [type(e.data) for e in read_events(shell.last())]
    assert (kinds.count(Compaction), kinds.count(SummaryEdit)) == (1, 0)
