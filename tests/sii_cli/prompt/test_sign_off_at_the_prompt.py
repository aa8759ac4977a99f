"""Marks, notes and the question at the end, in a real terminal."""

from __future__ import annotations

from recordings.conversation.authors import authors_of
from recordings.events import Consent, UserMessage
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import read_events
from tests.fakes.consenting import consented
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def at_the_prompt(shell: Shell, *options: str) -> Terminal:
    shell.home.mkdir(exist_ok=True)
    (shell.home / "config.toml").write_text('speaker = "ada"\n')
    consented(shell.home)
    terminal = shell.terminal(*options, script="two")
    terminal.wait_for("sandbox ready")
    return terminal


def test_a_session_is_marked_noted_and_asked_about_once(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("/mark good\r")
    terminal.wait_for("There is nothing to judge yet")
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send("/mark great work\r")
    terminal.wait_for("A step is marked good, bad, wrong")
    terminal.send("/mark unclear which file?\r")
    terminal.wait_for("Step 1 is marked unclear: First.")
    terminal.send("/note look at step 1\r")
    terminal.wait_for("Kept for the next person")
    terminal.send("/exit\r")
    terminal.wait_for("Is the task done? y yes · n no · Enter skips")
    terminal.send("xn")
    assert terminal.exit_code() == 0
    mark, note, done = read_reviews(shell.last())
    assert (mark.steps[0].flags, mark.steps[0].comment) == (("unclear",), "which file?")
    assert note.note == "look at step 1"
    assert done.verdict == "reject"


def test_done_is_said_before_and_the_end_asks_no_more(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send("/done thank you\r")
    terminal.wait_for("Kept: the task is done.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    (review,) = read_reviews(shell.last())
    assert (review.verdict, review.note) == ("approve", "thank you")


def test_enter_skips_the_question(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("tokens")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send("/exit\r")
    terminal.wait_for("Is the task done?")
    terminal.send("\r")
    assert terminal.exit_code() == 0
    assert read_reviews(shell.last()) == []


def test_another_person_speaks_from_here_on_and_is_asked_once(shell: Shell) -> None:
    terminal = at_the_prompt(shell)
    terminal.send("one\r")
    terminal.wait_for("First.")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send("/speaker ben\r")
    terminal.wait_for("Three questions to ben")
    terminal.wait_for("y yes · n no")
    terminal.send("n")
    terminal.wait_for("From here on ben speaks")
    terminal.send("two\r")
    terminal.wait_for("Second.")
    terminal.wait_for("Esc interrupts", gone=True)
    terminal.send("/speaker ada\r")
    terminal.wait_for("From here on ada speaks")
    assert terminal.everything().count("Three questions to") == 1
    terminal.send("/speaker\r")
    terminal.wait_for("The speaker is ada.")
    terminal.send("/done\r")
    terminal.wait_for("Kept: the task is done.")
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0
    events = [event.data for event in read_events(shell.last())]
    spoke = [one.speaker for one in events if isinstance(one, UserMessage)]
    assert spoke == ["ada", "ben"]
    asked = [(one.speaker, one.training) for one in events if isinstance(one, Consent)]
    assert asked == [("ada", True), ("ben", False), ("ada", True)]
    assert authors_of(shell.last()) == {"ada", "ben"}
    (review,) = read_reviews(shell.last())
    assert review.reviewer == "ada"
