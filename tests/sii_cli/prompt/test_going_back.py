"""Going back at the prompt: Esc Esc, a message, what of it, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.conversation.rewind import own_messages, rewind_of
from recordings.events import Event, Rewind, Snapshot, UserMessage
from recordings.storage.log import read_events
from recordings.trust.origin import origin_of
from recordings.verify import verify
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal

ESC = "\x1b"


def recordings_of(shell: Shell) -> list[Path]:
    return sorted((shell.home / "recordings").iterdir(), key=lambda path: path.stat().st_ctime)


def said(folder: Path) -> list[str]:
    return [e.data.text for e in read_events(folder) if isinstance(e.data, UserMessage)]


def forked(shell: Shell, parent: Path) -> Path:
    [fork] = [folder for folder in (shell.home / "recordings").iterdir() if folder != parent]
    return fork


def made(shell: Shell) -> tuple[Terminal, Path]:
    """A session in which the model made a file."""
    terminal = shell.terminal(script="undo")
    terminal.wait_for("sandbox ready")
    terminal.send("Do it\r")
    terminal.wait_for("made.txt +1 (new)")
    [folder] = (shell.home / "recordings").iterdir()
    return terminal, folder


def go_back(terminal: Terminal) -> None:
    terminal.send(ESC)
    terminal.wait_for("Esc again goes back")
    terminal.pump(0.2)  # as a hand does
    terminal.send(ESC)
    terminal.wait_for("Go back to before a message")
    terminal.wait_for("Do it ± 1")
    terminal.wait_for("made.txt +1 (new)")
    terminal.send("\r")
    terminal.wait_for("What goes back, to what it was before that message:")
    terminal.wait_for("made.txt −1 (deleted)")
    terminal.wait_for("b files and conversation")


def test_files_and_conversation_go_back_and_the_text_returns(shell: Shell) -> None:
    terminal, parent = made(shell)
    go_back(terminal)
    terminal.send("b")
    terminal.wait_for("w the model was wrong")
    terminal.send("w")
    terminal.wait_for("stays as it is; this is its fork")
    terminal.wait_for("› Do it")
    assert not (shell.workspace / "made.txt").exists()
    terminal.wait_for("sandbox ready")
    terminal.send(" again\r")
    terminal.wait_for("made.txt")
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    fork = forked(shell, parent)
    assert (said(parent), said(fork)) == (["Do it"], ["Do it again"])
    asked: Event = next(e for e in read_events(parent) if isinstance(e.data, UserMessage))
    found = rewind_of(fork)
    assert found == (parent.name, Rewind(message=asked.seq, why="wrong", files=True))
    assert rewind_of(parent) is None
    assert verify(fork).whole
    assert verify(parent).whole


def test_the_conversation_alone_goes_back(shell: Shell) -> None:
    terminal, parent = made(shell)
    go_back(terminal)
    terminal.send("c")
    terminal.wait_for("t just trying")
    terminal.send("t")
    terminal.wait_for("stays as it is; this is its fork")
    terminal.pump(0.5)
    terminal.send("\x03")
    terminal.pump(0.5)
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    assert (shell.workspace / "made.txt").exists()
    found = rewind_of(forked(shell, parent))
    assert found is not None
    assert (found[1].why, found[1].files) == ("trying", False)


def test_the_files_alone_go_back_without_a_fork(shell: Shell) -> None:
    terminal, parent = made(shell)
    go_back(terminal)
    terminal.send("f")
    terminal.wait_for("The workspace is as it was before that message. /redo takes it back.")
    assert not (shell.workspace / "made.txt").exists()
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    assert [folder.name for folder in recordings_of(shell)] == [parent.name]
    causes = [e.data.cause for e in read_events(parent) if isinstance(e.data, Snapshot)]
    assert causes == ["start", "step", "before", "undo"]


def test_each_question_can_be_left_and_nothing_happens(shell: Shell) -> None:
    terminal, parent = made(shell)
    go_back(terminal)
    terminal.send("b")
    terminal.wait_for("u I was unclear")
    terminal.send("\r")
    terminal.wait_for("u I was unclear", gone=True)
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    assert (shell.workspace / "made.txt").exists()
    assert [folder.name for folder in recordings_of(shell)] == [parent.name]


def test_the_newest_message_is_the_first_to_go_back_to(shell: Shell) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("of the context")
    terminal.send("two\r")
    terminal.wait_for("Second.")
    terminal.pump(0.5)
    terminal.send("/rewind\r")
    terminal.wait_for("▸ two")
    terminal.wait_for("  one")


def test_a_fork_at_the_prompt_continues_the_whole_session(shell: Shell) -> None:
    terminal, parent = made(shell)
    terminal.send("/fork\r")
    terminal.wait_for("stays as it is; this is its fork")
    terminal.send("And?\r")
    terminal.wait_for("made.txt")
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    fork = forked(shell, parent)
    assert said(fork)[:1] == ["Do it"]
    [first, *_] = own_messages(fork)
    assert [change.path for change in first.changes] == ["made.txt"]


@pytest.mark.hostile
def test_a_fork_that_fails_makes_no_foreign_recording_own(shell: Shell) -> None:
    folder = shell.recorded()
    (folder / "seal").unlink()
    log = folder / "events.jsonl"
    kept = log.read_bytes()
    terminal = shell.terminal(
        "-r", folder.name, "--workspace", str(shell.workspace), script="steps"
    )
    terminal.wait_for("sandbox ready")
    before = log.read_bytes()
    log.write_bytes(b'{"v":1}\n')  # as if a blob were missing: nothing can be forked
    terminal.send("/fork\r")
    terminal.wait_for("was changed after it was written")
    log.write_bytes(before)
    terminal.send("Do it\r")
    terminal.wait_for("All done.")
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    assert len(log.read_bytes()) > len(kept)
    assert not (folder / "seal").exists()
    assert origin_of(folder, shell.home) == "foreign"
