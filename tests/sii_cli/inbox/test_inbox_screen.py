"""`sii inbox` on a full screen: what is seen, what keys do, what a kill leaves."""

from __future__ import annotations

import signal
import time

import pytest

from recordings.events import UserMessage
from recordings.storage.log import read_events
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, query
from tests.sii_cli.inbox.place import InboxPlace
from tests.sii_cli.terminal import Terminal


def inbox(place: InboxPlace, rows: int = 24, columns: int = 80) -> Terminal:
    terminal = Terminal(
        place.argv("inbox"), cwd=place.folder, env=place.env, rows=rows, columns=columns
    )
    shows(terminal, "TASK", "first screen")
    return terminal


def shows(terminal: Terminal, *texts: str, without: str = "\0") -> str:
    begun = time.monotonic()
    while True:
        window = "\n".join(terminal.lines())
        if all(text in window for text in texts) and without not in window:
            return window
        assert time.monotonic() - begun < 30, window
        terminal.pump()


def test_one_session_goes_on_while_the_next_is_read(place: InboxPlace) -> None:
    place.park(query("first", "steps=1 solve=2", check=CHECK), query("second", "steps=2"))
    terminal = inbox(place)
    shows(terminal, "1 of 2", "first", "CHECK", "there is no file solved")
    terminal.send("r")
    shows(terminal, "Enter sends")
    terminal.send("Leave the file\nsolved.")  # a pasted newline is Ctrl-J
    shows(terminal, "› Leave the file", "solved.")
    terminal.send("\r")
    shows(terminal, "second", "steps=2", without="› Leave")
    shows(terminal, "first has answered")
    terminal.send("/done\r")
    shows(terminal, "first", "2 rounds", "exit code 0")
    terminal.send("/done no not quite\r")
    shows(terminal, "No session waits for you now.")
    terminal.send("q")
    assert terminal.exit_code() == 0
    by_query = {one.query: one for one in place.recordings()}
    assert {name: one.outcome for name, one in by_query.items()} == {
        "first": "solved",
        "second": "unchecked",
    }
    messages = data_of(read_events(by_query["first"].folder), UserMessage)
    assert messages[-1].text == "Leave the file\nsolved."


def test_what_is_typed_survives_a_kill(place: InboxPlace) -> None:
    place.park(query("first", "steps=0"))
    terminal = inbox(place)
    terminal.send("rhalf a sen")
    shows(terminal, "› half a sen")
    terminal.child.kill(signal.SIGKILL)
    terminal.exit_code()
    again = inbox(place)
    shows(again, "› half a sen")
    again.send("rtence\r")
    shows(again, "No session waits")
    shows(again, "first", "round 2 · half a sen", "2 rounds")
    again.send("q")
    assert again.exit_code() == 0


def test_leaving_asks_while_a_session_goes_on(place: InboxPlace) -> None:
    place.park(query("first", "steps=1"))
    place.server._slow = 2.0
    terminal = inbox(place)
    terminal.send("rGo on.\r")
    shows(terminal, "1 session works")
    terminal.send("q")
    shows(terminal, "w wait", "Esc stay")
    terminal.send("l")
    assert terminal.exit_code() == 0
    (one,) = place.recordings()
    assert one.state in ("replied", "parked")
    place.server._slow = 0.0
    place.sii("inbox", "--plain")
    (one,) = place.recordings()
    assert one.state == "parked"
    texts = [message.text for message in data_of(read_events(one.folder), UserMessage)]
    assert texts == ["steps=1", "Go on."]


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (40, 120), (20, 40)])
def test_the_screen_fits_its_window(place: InboxPlace, rows: int, columns: int) -> None:
    place.park(query("a-long-name", "steps=1 " + "word " * 60, check=CHECK))
    terminal = inbox(place, rows, columns)
    terminal.send("r")
    window = shows(terminal, "Enter sends").split("\n")
    assert len(window) <= rows
    assert "a-long-name" in window[0]
    assert "TASK" in window[1]
    assert "Enter sends" in window[-1]
    assert window[-2].startswith("›")
    terminal.child.kill(signal.SIGKILL)
    terminal.exit_code()
