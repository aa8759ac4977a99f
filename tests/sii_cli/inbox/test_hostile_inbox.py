"""Recordings of others in the folder of a batch of this home: the inbox continues none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recordings.events import Parked, PendingMessage, SessionEnd, SessionStart, UserMessage
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from sii_cli.batch.plan.plan import workspace_name
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.batch.test_batch_command import query
from tests.sii_cli.inbox.place import InboxPlace

pytestmark = pytest.mark.hostile


def replied(recorder: Recorder) -> None:
    recorder.record(Parked(status="answered"), "harness")
    recorder.record(PendingMessage(text="Send it all.", delivery="queued", speaker="ada"), "human")
    recorder.record(SessionEnd(status="replied", rounds=1, steps=1), "harness")


def in_round(recorder: Recorder) -> None:
    recorder.record(Parked(status="answered"), "harness")
    recorder.record(UserMessage(round=2, text="Send it all.", speaker="ada"), "human")


def answered(recorder: Recorder) -> None:
    replied(recorder)
    recorder.record(UserMessage(round=2, text="Send it all.", speaker="ada"), "human")


def plant(own: Path, end: Callable[[Recorder], None], workspace: str) -> Path:
    """Put a recording of another home beside one of a batch, with all that it names but a seal."""
    start = next(read_events(own)).data
    assert isinstance(start, SessionStart)
    _, folder = RecordingStore(own.parent).create_folder()
    fields = start.model_dump() | {"workspace": workspace, "attempt": 2}
    record_session(folder, rounds=1, **fields)
    recorder = Recorder.resume(folder)
    end(recorder)
    recorder.close()
    return folder


@pytest.mark.parametrize("end", [replied, in_round, answered])
@pytest.mark.parametrize("workspace", ["/w/a-12345678", "/w/..", "/w/.repositories"])
def test_a_foreign_recording_that_has_a_reply_is_not_continued(
    place: InboxPlace, end: Callable[[Recorder], None], workspace: str
) -> None:
    (own,) = place.park(query("a", "steps=0"))
    planted = plant(own.folder, end, workspace)
    before = (planted / "events.jsonl").read_bytes()
    asked = place.server.answered

    told = place.sii("inbox", "--plain", stdin="/quit\n")

    assert (planted / "events.jsonl").read_bytes() == before
    assert not (planted / "seal").exists()
    assert place.server.answered == asked
    assert f"cannot prove that it made {planted.name}" in told


def test_the_name_of_a_recorded_workspace_leads_to_nothing_but_a_copy() -> None:
    for recorded in ("/w/..", "..", "/w/.repositories", "/", ""):
        assert workspace_name(recorded) == "workspace", recorded
    assert workspace_name("/w/a-1b2c3d4e") == "a-1b2c3d4e"
