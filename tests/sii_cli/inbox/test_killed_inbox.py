"""Kills and races: nobody's reply is lost, and none is delivered twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recordings.conversation.parking import parking_of
from recordings.events import Check, PendingMessage, QueryOutcome, UserMessage
from recordings.recorder import Recorder
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.inbox.reply import NotWaiting, record_done, record_reply
from sii_cli.options.settings import load_for_recordings
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, query
from tests.sii_cli.inbox.place import InboxPlace, make_parked

REPLY = "Leave the file solved."


def messages(folder: Path) -> list[str]:
    return [one.text for one in data_of(read_events(folder), UserMessage)]


@pytest.mark.parametrize("after", [0.0, 0.8, 1.6, 2.4, 3.2, 4.0])
def test_a_kill_while_a_session_works_repeats_nothing(place: InboxPlace, after: float) -> None:
    (one,) = place.park(query("a", "steps=2 solve=2", check=CHECK))
    place.sii("inbox", "reply", "--later", one.id, REPLY)
    place.server._slow = 0.2
    killed = place.start("inbox", "--plain")
    begun = time.monotonic()
    while after and "session_resume" not in (one.folder / "events.jsonl").read_text()[-4000:]:
        assert time.monotonic() - begun < 60
        time.sleep(0.02)
    time.sleep(after + random.random() / 2)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    place.server._slow = 0.0
    place.sii("inbox", "--plain")
    (one,) = place.recordings()
    assert one.state == "parked"
    assert messages(one.folder) == ["steps=2 solve=2", REPLY]
    checks = data_of(read_events(one.folder), Check)
    assert checks[-1].passed
    assert verify(one.folder).whole
    place.sii("inbox", "done", one.id)
    assert place.recordings()[0].outcome == "solved"


@pytest.mark.parametrize("dies_at", range(3))
def test_a_kill_while_a_reply_is_recorded(
    place: InboxPlace, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    (one,) = place.park(query("a", "steps=0"))
    settings = load_for_recordings({})
    record = Recorder.record
    written: list[object] = []

    def dying(self: Recorder, *args: object, **more: object) -> object:
        if len(written) == dies_at:
            raise KeyboardInterrupt
        written.append(args[0])
        return record(self, *args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", dying)
        with pytest.raises(KeyboardInterrupt):
            record_reply(one.folder, REPLY, settings)
    is_recorded = any(isinstance(data, PendingMessage) for data in written)
    assert place.listed()[0]["waits_for"] == ("the model" if is_recorded else "a person")
    if not is_recorded:
        record_reply(one.folder, REPLY, settings)
    place.sii("inbox", "--plain")
    assert messages(one.folder) == ["steps=0", REPLY]


@pytest.mark.parametrize("dies_at", range(3))
def test_a_kill_while_a_session_is_ended(
    place: InboxPlace, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    (one,) = place.park(query("a", "steps=0"))
    settings = load_for_recordings({})
    record = Recorder.record
    written: list[object] = []

    def dying(self: Recorder, *args: object, **more: object) -> object:
        if len(written) == dies_at:
            raise KeyboardInterrupt
        written.append(args[0])
        return record(self, *args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", dying)
        with pytest.raises(KeyboardInterrupt):
            record_done(one.folder, True, "", settings)
    if place.listed():
        record_done(one.folder, True, "", settings)
    assert place.listed() == []
    outcomes = data_of(read_events(one.folder), QueryOutcome)
    assert [outcome.status for outcome in outcomes] == ["answered"]
    assert {review.verdict for review in read_reviews(one.folder)} == {"approve"}


RACE = """
import sys
from pathlib import Path
from sii_cli.inbox.reply import NotWaiting, record_reply
from sii_cli.options.settings import load_for_recordings
settings = load_for_recordings({})
folders = [Path(line) for line in sys.stdin.read().split()]
print("ready", flush=True)
for folder in folders:
    try:
        record_reply(folder, f"From {settings.speaker}.", settings)
        print(folder.name)
    except NotWaiting:
        pass
"""


def test_of_two_people_who_reply_at_once_one_is_taken(place: InboxPlace) -> None:
    folders = make_parked(place.home, 200)
    names = "\n".join(map(str, folders))
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", RACE],
            env=place.env | {"SII_SPEAKER": person},
            cwd=place.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for person in ("ada", "bob")
    ]
    with ThreadPoolExecutor() as pool:
        told = [out.split()[1:] for out, _ in pool.map(lambda one: one.communicate(names), racing)]
    assert [one.returncode for one in racing] == [0, 0]
    assert sorted(told[0] + told[1]) == sorted(folder.name for folder in folders)
    for folder in folders:
        (pending,) = data_of(read_events(folder), PendingMessage)
        person = "ada" if folder.name in told[0] else "bob"
        assert (pending.text, pending.speaker) == (f"From {person}.", person)
        parking = parking_of(folder)
        assert parking is not None
        assert parking.stage == "replied"


def test_what_was_read_before_another_reply_is_not_answered(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=0"))
    settings = load_for_recordings({})
    seen = verify(one.folder).head
    record_reply(one.folder, REPLY, settings, seen)
    place.sii("inbox", "--plain")
    with pytest.raises(NotWaiting):
        record_done(one.folder, True, "", settings, seen)
