"""The inbox with real sandboxes: none is left while a session waits."""

from __future__ import annotations

import pytest

from recordings.events import HarnessMessage, Observation, SandboxEnd, SandboxStart
from recordings.storage.log import read_events
from sii_cli import assembly
from sii_cli.batch.sessions import executor
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, query
from tests.sii_cli.inbox.place import InboxPlace

pytestmark = pytest.mark.docker


def test_a_parked_session_works_in_a_new_sandbox(
    place: InboxPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "make_backend", assembly.make_backend)
    (one,) = place.park(query("a", "steps=1 solve=2", check=CHECK))
    starts = data_of(read_events(one.folder), SandboxStart)
    ends = data_of(read_events(one.folder), SandboxEnd)
    assert [end.sandbox_id for end in ends] == [start.sandbox_id for start in starts]
    place.sii("inbox", "reply", one.id, "Leave the file solved.")
    events = list(read_events(one.folder))
    assert [note.reason for note in data_of(events, HarnessMessage)] == ["new_sandbox"]
    assert {call.error for call in data_of(events, Observation)} == {None}
    (one,) = place.recordings()
    assert one.check is not None
    assert one.check.passed
