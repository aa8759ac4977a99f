"""What goes wrong under `sii inbox`: a sentence is shown, and nothing that was typed is lost."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from recordings.events import UserMessage
from recordings.index.find import Filter
from recordings.storage.log import read_events
from sii_cli.inbox.background import Background
from sii_cli.inbox.batches import Batches
from sii_cli.inbox.waiting import find_waiting
from sii_cli.queue.leases import LEASES
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import query
from tests.sii_cli.inbox.place import InboxPlace, make_parked
from tests.sii_cli.inbox.test_inbox_screen import inbox, shows

TRACEBACK = "Unhandled exception"


def drop(home: Path, table: str) -> None:
    """Take a table of the leases away, as another version of sii or a failing disk would."""
    with closing(sqlite3.connect(home / LEASES)) as db:
        db.execute(f"DROP TABLE {table}")
        db.commit()


def test_a_skip_that_cannot_be_kept_is_reported(place: InboxPlace) -> None:
    place.park(query("first", "steps=0"), query("second", "steps=0"))
    terminal = inbox(place)
    shows(terminal, "first screen", "answer")
    drop(place.home, "skips")
    terminal.send(".")
    shows(terminal, "cannot be used", "1 of 2", without=TRACEBACK)
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_a_session_is_left_where_no_lease_can_be_given_back(place: InboxPlace) -> None:
    (one, _) = place.park(query("first", "steps=0"), query("second", "steps=0"))
    terminal = inbox(place)
    shows(terminal, "first screen", "answer")
    drop(place.home, "leases")
    terminal.send("r")
    shows(terminal, "Enter sends")
    terminal.send("Go on.\r")
    shows(terminal, "cannot be used", without=TRACEBACK)
    terminal.send("q")
    shows(terminal, "w wait")
    terminal.send("w")
    assert terminal.exit_code() == 0
    texts = [message.text for message in data_of(read_events(one.folder), UserMessage)]
    assert texts == ["steps=0", "Go on."]


def test_bytes_that_are_not_text_are_replaced(place: InboxPlace) -> None:
    (one,) = place.park(query("first", "steps=0"))
    terminal = inbox(place)
    terminal.send("r")
    shows(terminal, "Enter sends")
    terminal.child.send(b"caf\xe9 au lait")
    shows(terminal, "au lait")
    terminal.send("\r")
    shows(terminal, "2 rounds", without=TRACEBACK)
    terminal.send("q")
    assert terminal.exit_code() == 0
    texts = [message.text for message in data_of(read_events(one.folder), UserMessage)]
    assert texts[1] == "caf? au lait"


def test_a_damaged_draft_hides_no_session(place: InboxPlace) -> None:
    place.park(query("first", "steps=0"), query("second", "steps=0"))
    terminal = inbox(place)
    shows(terminal, "first screen", "answer")
    terminal.send("rhalf")
    shows(terminal, "› half")
    terminal.send("\x1b")
    shows(terminal, "q leave")
    terminal.send("q")
    assert terminal.exit_code() == 0
    (draft,) = (place.home / "drafts").iterdir()
    draft.write_text("{")
    again = inbox(place)
    shows(again, "1 of 2", "The draft", "answer")
    again.send("rThe whole.\r")
    shows(again, "2 of 2")
    again.send("q")
    shows(again, "w wait", without=TRACEBACK)
    again.send("w")
    assert again.exit_code() == 0


def test_a_bug_ends_one_session_alone(place: InboxPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in place.park(query("first", "steps=0"), query("second", "steps=0")):
        place.sii("inbox", "reply", "--later", one.id, "Go on.")
    told: dict[str, str] = {}
    opened = Batches.open

    def faulty(self: Batches, folder: Path, start: object, began: float) -> object:
        if getattr(start, "query", "") == "first":
            raise KeyError("a bug")
        return opened(self, folder, start, began)  # type: ignore[arg-type]

    monkeypatch.setattr(Batches, "open", faulty)

    async def work() -> None:
        waiting = find_waiting(Filter())
        background = Background(
            Batches(), ended=lambda one, how, why: told.update({one.name: f"{how} {why}"})
        )
        for one in waiting:
            background.begin(one)
        await background.wait()
        await background.aclose()

    asyncio.run(work())
    assert told == {"first": "failed a bug of sii, KeyError: 'a bug'", "second": "answered "}


def test_a_path_at_the_beginning_of_a_reply_is_not_a_command(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=0"))
    told = place.sii("inbox", "--plain", stdin="/dome\n/etc/hosts is wrong.\n")
    assert "There is no /dome here" in told
    texts = [message.text for message in data_of(read_events(one.folder), UserMessage)]
    assert texts[1] == "/etc/hosts is wrong."


def test_what_cannot_be_read_is_reported_beside_what_waits(place: InboxPlace) -> None:
    damaged, whole = make_parked(place.home, 2)
    (damaged / "events.jsonl").write_text("{}\n")
    done = place.shell.sii("inbox", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [whole.name]
    assert f"{damaged.name} may wait, but cannot be read: " in done.stderr
