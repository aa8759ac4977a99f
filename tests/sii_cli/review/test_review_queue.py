"""The review queue: each is given what waits for them, once, and what is complete leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from recordings.events import Check, UserMessage
from recordings.recorder import Recorder
from recordings.reviews.protocol import DEFAULT_PROTOCOL, ReviewProtocol
from recordings.reviews.reviews import add_review
from recordings.storage.files import REVIEWS
from sii_cli.errors import SiiError
from sii_cli.queue import leases
from sii_cli.queue.leases import LEASES
from sii_cli.review.queue import QueuedRecording, ReviewQueue
from tests.recordings.recording_sessions import FakeSession
from tests.sii_cli.shell import Shell

TWO = ReviewProtocol(reviewers=2)
ADJUDICATED = ReviewProtocol(policy="adjudicated", adjudicators=("lea",))


@pytest.fixture
def queues() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def folders(shell: Shell) -> list[Path]:
    return [shell.recorded(rounds=1, steps=1) for _ in range(4)]


def queue_of(
    queues: ExitStack, reviewer: str, protocol: ReviewProtocol = DEFAULT_PROTOCOL
) -> ReviewQueue:
    return queues.enter_context(ReviewQueue(reviewer, protocol))


def taken(queue: ReviewQueue) -> QueuedRecording:
    one = queue.next()
    assert one is not None
    return one


def test_two_people_are_never_given_one_recording(queues: ExitStack, folders: list[Path]) -> None:
    ann, bob = queue_of(queues, "ann"), queue_of(queues, "bob")
    given = []
    for queue in (ann, bob, ann, bob):
        given.append(taken(queue).folder)
        queue.send(taken(queue), verdict="approve")
    assert sorted(given) == sorted(folders)
    assert ann.next() is None
    assert bob.next() is None


def test_what_a_person_holds_is_given_again(queues: ExitStack, folders: list[Path]) -> None:
    first = taken(queue_of(queues, "ann"))
    assert taken(queue_of(queues, "ann")) == first
    assert first.left == len(folders)


def test_a_recording_waits_for_as_many_as_the_protocol_says(
    queues: ExitStack, shell: Shell
) -> None:
    folder = shell.recorded(rounds=1, steps=1)
    ann, bob, cleo = (queue_of(queues, name, TWO) for name in ("ann", "bob", "cleo"))
    assert taken(ann).folder == taken(bob).folder == folder
    assert cleo.next() is None, "both places are taken"
    ann.send(taken(ann), verdict="approve")
    assert ann.next() is None, "nobody judges twice"
    assert cleo.next() is None, "bob holds the place that is left"
    bob.skip(taken(bob))
    cleo.send(taken(cleo), verdict="reject")
    assert bob.next() is None, "what is complete leaves every queue"


def test_a_verdict_that_was_given_elsewhere_is_seen_at_once(
    queues: ExitStack, shell: Shell
) -> None:
    folder = shell.recorded(rounds=1, steps=1)
    bob = queue_of(queues, "bob")
    assert len(bob) == 1
    add_review(folder, "ann", verdict="approve", key=shell.key)
    assert bob.next() is None
    assert len(bob) == 0


def test_what_is_skipped_comes_last(queues: ExitStack, folders: list[Path]) -> None:
    ann = queue_of(queues, "ann")
    skipped = taken(ann)
    ann.skip(skipped)
    given = []
    while (one := ann.next()) is not None:
        given.append(one.folder)
        ann.send(one, verdict="approve")
    assert sorted(given) == sorted(folders)
    assert given[-1] == skipped.folder


def test_an_author_is_not_given_the_recording(queues: ExitStack, shell: Shell) -> None:
    shell.recorded(rounds=1, steps=1, speaker="ann")
    assert queue_of(queues, "ann").next() is None
    assert queue_of(queues, "bob").next() is not None


def test_a_draft_survives_the_end_of_the_lease(
    queues: ExitStack, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.recorded(rounds=1, steps=1)
    ann, bob = queue_of(queues, "ann"), queue_of(queues, "bob")
    one = taken(ann)
    ann.drafts.save(one.item, one.sha256, {"note": "half a thought"})
    assert ann.heartbeat(one)
    later = SimpleNamespace(time=lambda: time.time() + leases.LEASE + 1)
    monkeypatch.setattr(leases, "time", later)
    assert not ann.heartbeat(one)
    assert taken(bob).folder == one.folder
    assert ann.drafts.load(one.item, one.sha256) == {"note": "half a thought"}


def test_who_has_judged_keeps_the_lease_until_it_is_given_back(
    queues: ExitStack, shell: Shell
) -> None:
    folder = shell.recorded(rounds=1, steps=1)
    ann = queue_of(queues, "ann")
    one = taken(ann)
    add_review(folder, "ann", verdict="approve", key=shell.key)
    assert ann.heartbeat(one)
    ann.release(one)
    assert not ann.heartbeat(one)


def test_what_was_sent_leaves_no_draft(queues: ExitStack, shell: Shell) -> None:
    shell.recorded(rounds=1, steps=1)
    ann = queue_of(queues, "ann")
    one = taken(ann)
    ann.drafts.save(one.item, one.sha256, {"note": "all of it"})
    ann.send(one, verdict="approve", note="all of it")
    assert ann.drafts.load(one.item, one.sha256) is None
    assert not ann.heartbeat(one)


def test_what_changed_meanwhile_is_not_judged_and_the_draft_stays(
    queues: ExitStack, shell: Shell
) -> None:
    folder = shell.recorded(rounds=1, steps=1)
    ann = queue_of(queues, "ann")
    one = taken(ann)
    ann.drafts.save(one.item, one.sha256, {"note": "so far"})
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(UserMessage(round=2, text="more"), "human")
    recorder.close()
    with pytest.raises(SiiError, match="changed while it was reviewed"):
        ann.send(one, verdict="approve")
    assert ann.drafts.load(one.item, one.sha256) == {"note": "so far"}


def test_an_adjudicator_is_given_what_others_differ_on(
    queues: ExitStack, folders: list[Path], shell: Shell
) -> None:
    disputed, agreed = folders[:2]
    for folder, said in ((disputed, ("approve", "reject")), (agreed, ("approve", "approve"))):
        add_review(folder, "ann", verdict=said[0], key=shell.key)  # type: ignore[arg-type]
        add_review(folder, "bob", verdict=said[1], key=shell.key)  # type: ignore[arg-type]
    lea = queue_of(queues, "lea", ADJUDICATED)
    assert taken(lea).folder == disputed
    lea.send(taken(lea), verdict="approve")
    assert lea.next() is None


def test_a_cohort_is_finished_before_the_next(queues: ExitStack, folders: list[Path]) -> None:
    ann = queue_of(queues, "ann", ReviewProtocol(cohort=2))
    given = []
    while (one := ann.next()) is not None:
        given.append(one.folder)
        ann.send(one, verdict="approve")
    assert sorted(given[:2]) == sorted(folders[:2])
    assert sorted(given[2:]) == sorted(folders[2:])


def test_without_the_file_of_leases_the_queue_is_the_same(
    queues: ExitStack, shell: Shell, folders: list[Path]
) -> None:
    ann = queue_of(queues, "ann")
    ann.send(taken(ann), verdict="approve")
    for file in shell.home.glob(f"{LEASES}*"):
        file.unlink()
    assert len(queue_of(queues, "ann")) == len(folders) - 1


@pytest.mark.hostile
def test_a_damaged_recording_keeps_nobody_from_the_others(
    queues: ExitStack, folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ann = queue_of(queues, "ann")
    assert len(ann) == len(folders)
    bad = taken(ann).folder
    (bad / REVIEWS).write_text("{}\n")
    given = []
    while (one := ann.next()) is not None:
        given.append(one.folder)
        ann.send(one, verdict="approve")
    assert sorted(given) == sorted({*folders} - {bad})
    assert f"{bad / REVIEWS} is damaged" in capsys.readouterr().err


def test_only_the_people_of_the_protocol_are_given_recordings(
    queues: ExitStack, folders: list[Path]
) -> None:
    protocol = ReviewProtocol(people=("ann",))
    assert queue_of(queues, "ann", protocol).next() is not None
    assert queue_of(queues, "bob", protocol).next() is None


def test_what_is_set_aside_waits_for_nobody_and_comes_back(queues: ExitStack, shell: Shell) -> None:
    folder = shell.recorded(rounds=1, steps=2, change=failed_check)
    aside = ReviewProtocol(set_aside=("failed_check",))
    assert queue_of(queues, "ann", aside).next() is None
    assert taken(queue_of(queues, "ann")).folder == folder


def test_a_second_person_reads_a_share(queues: ExitStack, folders: list[Path]) -> None:
    ann, bob = queue_of(queues, "ann"), queue_of(queues, "bob", ReviewProtocol(second_read=1.0))
    while (one := ann.next()) is not None:
        ann.send(one, verdict="approve")
    assert len(bob) == len(folders)
    while (one := bob.next()) is not None:
        bob.send(one, verdict="approve")
    cleo = queue_of(queues, "cleo", ReviewProtocol(second_read=1.0))
    assert cleo.next() is None, "two are enough"


def test_a_doubtful_verdict_is_read_again(queues: ExitStack, shell: Shell) -> None:
    doubtful = shell.recorded(rounds=1, steps=2, change=failed_check)
    sure = shell.recorded(rounds=1, steps=2)
    for folder in (doubtful, sure):
        add_review(folder, "ann", verdict="approve", key=shell.key)
    bob = queue_of(queues, "bob", ReviewProtocol(second_read_by_risk=True))
    assert taken(bob).folder == doubtful
    assert len(bob) == 1


def test_gold_is_given_to_everybody_between_others(
    queues: ExitStack, shell: Shell, folders: list[Path]
) -> None:
    gold = shell.recorded(rounds=1, steps=1)
    add_review(gold, "lea", verdict="reject", role="lead", key=shell.key)
    protocol = ReviewProtocol(gold=(gold.name,), gold_share=0.5)
    ann, given = queue_of(queues, "ann", protocol), []
    while (one := ann.next()) is not None:
        given.append(one.folder)
        ann.send(one, verdict="reject")
    assert given[1] == gold
    assert sorted(given) == sorted([*folders, gold])


def failed_check(session: FakeSession) -> None:
    session.note(
        Check(round=1, command="pytest", exit_code=1, passed=False, output="1 failed", seconds=0.1),
        "harness",
    )
    session.end()
