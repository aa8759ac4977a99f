"""What is new in a fork of a recording that its reviewer has judged."""

from __future__ import annotations

from pathlib import Path

from recordings.events import FileChange, UserMessage
from recordings.recorder import Recorder
from recordings.reviews.reviews import add_review
from recordings.storage.line_index import LineIndex
from sii_cli.review.item import read_item
from sii_cli.review.new_part import first_new_event
from sii_cli.review.pages import first_page
from sii_cli.review.task import ReviewTask
from tests.recordings.stepped_session import SteppedSession
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


def test_the_first_screen_names_the_files_that_the_new_part_changed(tmp_path: Path) -> None:
    session = SteppedSession(tmp_path)
    session.message("Fix it.")
    session.call("bash", '{"command": "true"}')
    session.snapshot(1, FileChange(path="old.py", kind="modified", added=1, removed=1))
    new_from = session.message("Not yet.", 2)
    session.call("bash", '{"command": "true"}')
    session.snapshot(2, FileChange(path="new.py", kind="modified", added=1, removed=1))
    session.answer("Fixed.")
    session.recorder.close()
    index = LineIndex(tmp_path)
    while not index.complete:
        index.extend()

    def shown(new_from: int | None) -> str:
        item = read_item(ReviewTask(tmp_path, "", new_from=new_from), index)
        return "".join(first_page(item, 80, opened=False).rows)

    assert "old.py" in shown(None)
    assert "new.py" in shown(None)
    assert "old.py" not in shown(new_from)
    assert "new.py" in shown(new_from)
    index.close()
