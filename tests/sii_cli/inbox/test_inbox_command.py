"""`sii batch --feedback human` and `sii inbox`: a session waits for a person, and goes on."""

from __future__ import annotations

import shutil

from recordings.events import (
    HarnessMessage,
    ModelRequest,
    Parked,
    QueryOutcome,
    SessionEnd,
    SessionResume,
    UserMessage,
)
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, query
from tests.sii_cli.inbox.place import InboxPlace


def test_a_session_waits_goes_on_and_is_done(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=1 solve=2", check=CHECK))
    assert (one.state, one.outcome) == ("parked", None)
    (workspace,) = place.workspaces()
    assert "1 session waits for a reply" in place.sii("batch", "status", str(place.out))
    assert [(listed["id"], listed["waits_for"]) for listed in place.listed()] == [
        (one.id, "a person")
    ]

    told = place.sii("inbox", "reply", one.id[:-1], "Leave the file solved.")
    assert "Recorded." in told
    assert "Done with round 2." in told
    assert place.workspaces() == [workspace]
    (one,) = place.recordings()
    assert one.state == "parked"
    assert one.check is not None
    assert one.check.passed

    place.sii("inbox", "done", one.id, "As", "it", "should", "be.")
    (one,) = place.recordings()
    assert (one.state, one.outcome) == ("ended", "solved")
    assert place.workspaces() == []
    assert place.listed() == []
    said = data_of(read_events(one.folder), UserMessage)
    assert [(message.text, message.speaker) for message in said] == [
        ("steps=1 solve=2", None),
        ("Leave the file solved.", "ada"),
    ]
    (outcome,) = data_of(read_events(one.folder), QueryOutcome)
    assert (outcome.status, outcome.feedback_rounds) == ("solved", 1)
    (review,) = read_reviews(one.folder)
    assert (review.reviewer, review.role, review.verdict) == ("ada", "practitioner", "approve")
    assert review.note == "As it should be."
    assert verify(one.folder).whole
    assert place.sii("batch", "--resume", str(place.out)).count("1 of 1 sessions") == 1


def test_a_batch_goes_on_and_leaves_what_waits_alone(place: InboxPlace) -> None:
    place.park(
        query("a", "steps=1 solve=1", check=CHECK), query("b", "steps=0"), query("c", "say=long")
    )
    by_query = {one.query: one for one in place.recordings()}
    assert {name: one.state for name, one in by_query.items()} == {
        "a": "parked",
        "b": "parked",
        "c": "ended",
    }
    before = [one.id for one in place.recordings()]
    told = place.sii("batch", "--resume", str(place.out), code=5)
    assert "2 sessions wait for a reply: sii inbox" in told
    assert [one.id for one in place.recordings()] == before
    assert len(place.workspaces()) == 2
    assert len(place.sii("list", "--state", "parked", "--json").splitlines()) == 2


def test_another_machine_has_the_snapshot_alone(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=1 solve=1", check=CHECK))
    shutil.rmtree(place.out / "workspaces")
    place.move()
    place.sii("inbox", "reply", one.id, "Once more.", SII_IMAGE="another:1")
    (one,) = place.recordings()
    assert one.check is not None
    assert one.check.passed, "the file is there again"
    events = list(read_events(one.folder))
    (note,) = data_of(events, HarnessMessage)
    assert note.reason == "new_sandbox"
    kinds = [event.type for event in events]
    assert kinds.index("harness_message") < kinds.index("user_message", kinds.index("parked"))


def test_what_does_not_go_together_is_refused(place: InboxPlace) -> None:
    file = place.write(query("a", "steps=0"))
    for option in (["--feedback-rounds", "2"], ["--simulate-user", "m"], ["--ray"]):
        told = place.sii("batch", str(file), "--feedback", "human", *option, code=2)
        assert f"leave {option[0]} away" in told


def test_nobody_speaks_without_a_name_or_a_consent(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=0"))
    assert "Say who you are" in place.sii("inbox", "reply", one.id, "x", code=2, SII_SPEAKER="")
    told = place.sii("inbox", "reply", one.id, "x", code=2, SII_SPEAKER="bob")
    assert "run `sii inbox` in a terminal once" in told
    assert place.recordings()[0].state == "parked"
    assert "empty" in place.sii("inbox", "reply", one.id, " \n", code=2)


def test_who_replies_need_not_be_who_began_the_batch(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=0"), SII_SPEAKER="")
    assert "Done with round 2." in place.sii("inbox", "reply", one.id, "Go on.")
    said = data_of(read_events(place.recordings()[0].folder), UserMessage)
    assert [message.speaker for message in said] == [None, "ada"]


def test_a_reply_is_taken_once(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=0"))
    place.sii("inbox", "reply", "--later", one.id, "First.")
    assert place.listed()[0]["waits_for"] == "the model"
    told = place.sii("inbox", "reply", "--later", one.id, "Second.", code=1)
    assert "ada has answered it" in told
    assert "ada has answered it" in place.sii("inbox", "done", one.id, code=1)
    assert "waits for a reply again" in place.sii("inbox", "--plain")
    events = list(read_events(one.folder))
    assert [one.text for one in data_of(events, UserMessage)] == ["steps=0", "First."]
    resumes, ends = data_of(events, SessionResume), data_of(events, SessionEnd)
    assert len(resumes) + 1 == len(ends) == 3
    assert [end.status for end in ends] == ["parked", "replied", "parked"]
    assert len(data_of(events, Parked)) == 2


def test_the_plain_inbox_shows_each_session_and_takes_several_lines(place: InboxPlace) -> None:
    place.park(*(query(name, f"steps={number}") for number, name in enumerate("abc")))
    told = place.sii("inbox", stdin="Two\nlines.\n\n/done no not at all\n/skip\n")
    assert told.count("TASK") == 3
    assert "Kept: it is not done." in told
    assert "waits for a reply again" in told
    by_query = {one.query: one for one in place.recordings()}
    assert {name: one.state for name, one in by_query.items()} == {
        "a": "parked",
        "b": "ended",
        "c": "parked",
    }
    messages = data_of(read_events(by_query["a"].folder), UserMessage)
    assert messages[-1].text == "Two\nlines."
    (review,) = read_reviews(by_query["b"].folder)
    assert (review.verdict, review.note) == ("reject", "not at all")


def test_a_research_query_without_a_check_is_unchecked(place: InboxPlace) -> None:
    (one,) = place.park(query("a", "steps=1"))
    place.sii("inbox", "reply", one.id, "Cite the page.")
    place.sii("inbox", "done", one.id)
    assert place.recordings()[0].outcome == "unchecked"
    requests = data_of(read_events(one.folder), ModelRequest)
    assert len(requests) == 4
