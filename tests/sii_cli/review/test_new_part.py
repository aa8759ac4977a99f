"""What is new in a fork of a recording that its reviewer has judged."""

from __future__ import annotations

from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from sii_cli.review.new_part import first_new_event
from tests.sii_cli.shell import Shell


def test_a_fork_is_new_after_the_event_at_which_it_parted(shell: Shell) -> None:
    source = shell.recorded(rounds=1, steps=2)
    add_review(source, "ann", verdict="reject", key=shell.key)
    add_review(source, "eve", verdict="reject")  # without the proof of the home it does not count
    name, fork = shell.store.create_folder()
    recorder = Recorder.fork(source, 7, fork, name, key=shell.key)
    recorder.record(UserMessage(round=2, text="another way"), "human")
    recorder.close()
    assert first_new_event(fork, "ann") == 8
    assert first_new_event(fork, "bob") is None
    assert first_new_event(fork, "eve") is None
