"""Commands that users write: words are put in, a workspace's text is asked about once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.storage.log import read_events
from sii_cli.prompt.own_commands import OwnCommand, find_own_commands
from tests.sii_cli.shell import Shell


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Fix $1 in $2.", "Fix a in b."),
        ("All: $ARGUMENTS", "All: a b c"),
        ("$9 costs $0", " costs $0"),
    ],
)
def test_words_are_put_in(text: str, sent: str) -> None:
    assert OwnCommand("/x", text, False).sent("a b c") == sent


def test_odd_files_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "commands"
    folder.mkdir()
    (folder / "good.md").write_text("# Say it\n$1")
    (folder / "Bad Name.md").write_text("x")
    (folder / "binary.md").write_bytes(b"\xff")
    (folder / "long.md").write_text("x" * 70_000)
    (folder / "link.md").symlink_to("/etc/passwd")
    (own,) = find_own_commands(tmp_path, tmp_path / "none")
    assert (own.name, own.help, own.of_workspace) == ("/good", "Say it", False)


@pytest.mark.hostile
@pytest.mark.parametrize("text", ["x\n" * 3000, "$1" * 101, "$ARGUMENTS " * 5000])
def test_a_text_that_would_hold_the_prompt_up_is_left_out(tmp_path: Path, text: str) -> None:
    folder = tmp_path / ".agents" / "commands"
    folder.mkdir(parents=True)
    (folder / "evil.md").write_text(text)
    (folder / "good.md").write_text("Good: $ARGUMENTS")
    assert [one.name for one in find_own_commands(tmp_path / "none", tmp_path)] == ["/good"]


def test_what_was_typed_and_what_was_sent_are_kept(shell: Shell) -> None:
    folder = shell.workspace / ".agents" / "commands"
    folder.mkdir(parents=True)
    (folder / "tidy.md").write_text("Tidy up $1, please.")
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("/tidy src\r")
    terminal.wait_for("Send such a text to the model, also later?")
    terminal.send("y")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.send("/tidy docs\r")
    terminal.wait_for("Second.")
    terminal.send("\x04")
    assert terminal.exit_code() == 0
    said = [e.data for e in read_events(shell.last()) if isinstance(e.data, UserMessage)]
    assert [(one.typed, one.text) for one in said] == [
        ("/tidy src", "Tidy up src, please."),
        ("/tidy docs", "Tidy up docs, please."),
    ]
