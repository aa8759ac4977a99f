"""`sii batch --sent-back`: a reviewer's `s` becomes continuations, of which the best comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.authors import authors_of
from recordings.events import Event, ModelResponse, SentBack, UserMessage
from recordings.reviews.reviews import read_reviews, tags
from recordings.storage.log import read_events, recording_hash
from recordings.store.store import RecordingStore
from recordings.store.summary import RecordingSummary, summarise
from recordings.verify import verify
from tests.fakes.batch_server import BatchServer, said_to
from tests.fakes.script import Scripted
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, query
from tests.sii_cli.inbox.place import InboxPlace

WORDS = "You never made the file: make it."


class SeededServer(BatchServer):
    """Solves only where the request's seed is even: attempts of one query differ."""

    def next_turn(self, body: dict[str, Any]) -> Scripted:
        self.answered += 1
        self.requests.clear()
        messages, seed = body["messages"], body.get("seed", 0)
        if seed % 2 and sum(one["role"] == "user" for one in messages) > 1:
            script = f"steps={seed + 2} solve=0"
            messages = [
                {**one, "content": str(one["content"]).replace("steps=2 solve=2", script)}
                for one in messages
            ]
        return said_to(messages)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InboxPlace]:
    with in_a_thread(SeededServer()) as server:
        yield InboxPlace(tmp_path, server, monkeypatch)


def run(place: InboxPlace, *queries: dict[str, Any]) -> list[RecordingSummary]:
    """Run a batch; return its recordings, the oldest first."""
    place.sii("batch", str(place.write(*queries)), "--out", str(place.out), "--seed", "1")
    return place.recordings()


def send_back(place: InboxPlace, one: RecordingSummary, step: int, words: str = WORDS) -> int:
    """Send a session back from a step; return the event of the step's response."""
    events = [event for event in read_events(one.folder) if isinstance(event.data, ModelResponse)]
    seq = events[step - 1].seq
    place.sii("review", one.id, stdin=f"g {seq}\ns {words}\ne\n\n", SII_SPEAKER="rob")
    return seq


def continued(place: InboxPlace, name: str) -> list[RecordingSummary]:
    store = RecordingStore(place.home / "batches" / name / "recordings")
    return sorted(store.list(), key=lambda one: one.attempt or 0)


def again(place: InboxPlace, *more: str, code: int = 0) -> str:
    out = str(place.home / "batches" / "again")
    return place.sii("batch", "--sent-back", "--out", out, *more, code=code)


def test_the_best_continuation_comes_back_and_the_rest_make_pairs(place: InboxPlace) -> None:
    (parent,) = run(place, query("first", "steps=2 solve=2", check=CHECK))
    assert parent.outcome == "unsolved"
    before = recording_hash(parent.folder)
    step = send_back(place, parent, 2)

    told = again(place, "-n", "4", "--seed", "1")
    assert "4 of 4 sessions: solved 2, unsolved 2" in told
    assert "1 continuation is tagged to-review, 3 passed-over; 2 preference pairs" in told
    assert recording_hash(parent.folder) == before

    forks = continued(place, "again")
    assert [one.attempt for one in forks] == [1, 2, 3, 4]
    assert {(one.continues, one.query, one.batch, one.mode) for one in forks} == {
        (parent.id, "first", "again", "batch")
    }
    for one in forks:
        check_fork(one, parent, step)
    best = next(one for one in forks if "to-review" in tags(read_reviews(one.folder)))
    assert best.outcome == "solved"

    queue = place.sii("review", stdin="q\n", SII_SPEAKER="rob")
    assert f"1 of 1: {best.id}" in queue
    assert f"up to event {len(shared(best)) - 1}" in queue, "only what is new"
    place.sii("approve", best.id, SII_SPEAKER="rob")
    pairs = place.home / "batches" / "again" / "pairs.jsonl"
    exported = place.folder / "out"
    which = ("--format", "preference", "--batch", "again", "--pairs", str(pairs))
    place.sii("export", str(exported), *which)
    rows = [json.loads(line) for line in (exported / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert all({"role": "user", "content": WORDS} in row["prompt"] for row in rows)


def check_fork(one: RecordingSummary, parent: RecordingSummary, step: int) -> None:
    assert verify(one.folder).whole
    own = [event for event in read_events(one.folder) if event.session == one.id]
    (sent,) = [event.data for event in own if isinstance(event.data, SentBack)]
    assert (sent.by, sent.step, sent.attempt) == ("rob", step, one.attempt)
    (words,) = [event for event in own if isinstance(event.data, UserMessage)]
    assert isinstance(words.data, UserMessage)
    assert (words.origin, words.data.text) == ("annotator", WORDS)
    assert own[0].seq < step
    assert shared(one) == list(read_events(parent.folder))[: own[0].seq]
    assert "rob" not in authors_of(one.folder), "the reviewer may judge what comes back"


def shared(one: RecordingSummary) -> list[Event]:
    return [event for event in read_events(one.folder) if event.session != one.id]


def test_the_files_are_those_of_before_the_step(place: InboxPlace) -> None:
    (parent,) = run(place, query("first", "steps=1 solve=1", check="! test -f solved"))
    assert parent.outcome == "unsolved", "the first step made the file"
    send_back(place, parent, 1, "Do not make it.")
    assert "solved 1" in again(place, "--seed", "1")


def test_a_session_is_continued_once_and_a_batch_of_continuations_is_resumed(
    place: InboxPlace,
) -> None:
    (parent,) = run(place, query("first", "steps=1 solve=2", check=CHECK))
    send_back(place, parent, 1)
    again(place, "-n", "2", "--seed", "1")
    folder = place.home / "batches" / "again"
    told = place.sii("batch", "--resume", str(folder), "-n", "3", "--accept-changes")
    assert "3 of 3 sessions" in told
    assert len(continued(place, "again")) == 3
    refused = place.sii("batch", "--sent-back", code=2)
    assert "No session waits to be continued" in refused


def test_what_does_not_go_with_it_is_refused(place: InboxPlace) -> None:
    (parent,) = run(place, query("first", "steps=1", check="false"))
    assert "No session waits to be continued" in again(place, code=2)
    send_back(place, parent, 1)
    assert "leave --keep away" in again(place, "--keep", "solved", code=2)
    assert "leave --feedback human away" in again(place, "--feedback", "human", code=2)
    assert "instead of FILE" in again(place, "--resume", str(place.out), code=2)


def test_a_recording_that_was_continued_by_hand_is_left_alone(place: InboxPlace) -> None:
    (parent,) = run(place, query("first", "steps=1", check="false"))
    send_back(place, parent, 1)
    place.sii("approve", parent.id, SII_SPEAKER="rob")
    assert "No session waits to be continued" in again(place, code=2)
    assert summarise(parent.folder).continues is None
    assert list(data_of(read_events(parent.folder), SentBack)) == []


def test_a_session_without_its_data_set_does_not_keep_the_others_back(place: InboxPlace) -> None:
    films = place.folder / "films"
    films.mkdir()
    (films / "one.csv").write_text("film")
    place.sii("data", "add", "films", str(films))
    file = str(place.write(query("a", "steps=1", data=["films"]), query("b", "steps=1")))
    place.sii("batch", file, "--out", str(place.out), "--allow", "data", "--concurrency", "1")
    first, other = place.recordings()
    for one in (first, other):
        send_back(place, one, 1)
    place.sii("data", "remove", "films")
    told = again(place, "--seed", "1")
    assert f"{first.id} is left out: There is no data set films" in told
    assert [one.continues for one in continued(place, "again")] == [other.id]
