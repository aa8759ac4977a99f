"""kill -9, a thousand times, at any moment of whatever writes: nothing that was done is lost."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from recordings.events import (
    HarnessMessage,
    LiveDelta,
    Observation,
    Permission,
    ToolCall,
    UserMessage,
)
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.reviews.reviews import add_review, read_reviews
from recordings.storage.blobs import read_blob
from recordings.storage.files import REVIEWS
from recordings.storage.log import LOG, read_events, recording_hash
from recordings.storage.pack import pack, unpack
from recordings.store.store import RecordingStore
from recordings.verify import verify
from tests.fakes.killed_child import Acknowledge, kill_at_random
from tests.recordings.recording_sessions import FakeSession, record_session, session_start

pytestmark = pytest.mark.slow

SECRET = "zq8Kd2-hX7wPb4Tn"


def write_steps(folder: Path, acknowledge: Acknowledge) -> None:
    """Continue a recording without an end; acknowledge each event that is on the disk."""
    exists = (folder / LOG).exists() and (folder / LOG).stat().st_size
    recorder = Recorder.resume(folder) if exists else begin(folder)
    for step in range(1_000_000):
        for piece in range(5):
            recorder.live(LiveDelta(step, "reasoning", f"word {piece} "))
        call_id, approval = f"call-{step}", Permission(by="mode", mode="auto")
        call = ToolCall(
            step=step, call_id=call_id, index=0, name="bash", arguments="{}", approval=approval
        )
        acknowledge(recorder.record(call, "model").seq)
        full = recorder.put_blob(os.urandom(200)) if step % 3 == 0 else None
        observation = Observation(
            step=step, call_id=call_id, name="bash", text="out " * 200, seconds=0.1, full=full
        )
        acknowledge(recorder.record(observation, "tool").seq)


def begin(folder: Path) -> Recorder:
    (folder / LOG).unlink(missing_ok=True)  # killed before anything was recorded
    recorder = Recorder.create(folder, folder.name)
    recorder.record(session_start(), "harness")
    return recorder


def cut_as_in_a_power_failure(folder: Path, synced: int, chance: random.Random) -> None:
    """Lose a part of what stands after the last line that was synced."""
    log = folder / LOG
    content = log.read_bytes()
    end = 0
    for _ in range(synced + 1):
        end = content.index(b"\n", end) + 1
    os.truncate(log, chance.randint(end, len(content)))


@pytest.mark.parametrize("seed", range(20))
def test_no_synced_event_is_lost_and_the_session_goes_on(tmp_path: Path, seed: int) -> None:
    chance, last, within = random.Random(seed), -1, 0.012
    for _ in range(35):
        done = kill_at_random(lambda say: write_steps(tmp_path, say), chance, within=within)
        within *= 1 if done else 1.2  # a busy machine does nothing within so short a time
        assert done == sorted(done)
        last = max([last, *done])
        if last < 0:
            continue
        if chance.random() < 0.5:
            cut_as_in_a_power_failure(tmp_path, last, chance)
        events = list(read_events(tmp_path))
        assert [event.seq for event in events] == list(range(len(events)))
        assert len(events) > last
        for event in events:
            if isinstance(event.data, Observation) and event.data.full:
                assert len(read_blob(tmp_path, event.data.full)) == 200
    recorder = Recorder.resume(tmp_path)
    recorder.record(UserMessage(round=1, text="Go on."), "human")
    recorder.close()
    assert verify(tmp_path).whole


def test_a_killed_reviewer_loses_no_review_that_was_given(tmp_path: Path) -> None:
    record_session(tmp_path, rounds=1)

    def review(acknowledge: Acknowledge) -> None:
        for number in range(1000):
            add_review(tmp_path, "ann", note=str(number))
            acknowledge(number)

    chance, given = random.Random(1), 0
    for _ in range(100):
        given += len(kill_at_random(review, chance, within=0.01))
        assert len(read_reviews(tmp_path)) >= given
    add_review(tmp_path, "bob", verdict="approve")
    assert read_reviews(tmp_path)[-1].reviewer == "bob"
    assert (tmp_path / REVIEWS).read_bytes().endswith(b"\n")


def _change(action: Callable[[Path], object], folder: Path, _: Acknowledge) -> None:
    action(folder)


def test_packing_killed_at_any_moment_leaves_the_recording_whole(tmp_path: Path) -> None:
    record_session(tmp_path, rounds=3, words=200)
    chance, head = random.Random(2), recording_hash(tmp_path)
    for _ in range(50):
        for action in (pack, unpack):
            kill_at_random(partial(_change, action, tmp_path), chance, within=0.03)
            result = verify(tmp_path)
            assert result.whole
            assert result.head == head


def _leak(leak: str, session: FakeSession) -> None:
    session.note(HarnessMessage(reason="undo", text=leak), "harness")
    session.note(output(session, leak), "tool")
    session.end()


def test_a_redaction_killed_at_any_moment_is_done_or_not(tmp_path: Path) -> None:
    chance = random.Random(3)
    redactor = Redactor(SecretFinder({"KEY": SECRET}))
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        leak = f"the key is {SECRET}"
        record_session(
            folder,
            rounds=2,
            change=partial(_leak, leak),
        )
        blackened = partial(redact, redactor=redactor, by="ann")
        kill_at_random(partial(_change, blackened, folder), chance, within=0.05)
        assert verify(folder).whole
        redact(folder, redactor, by="ann")
        kept = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        assert not any(SECRET.encode() in content for content in kept)


def output(session: FakeSession, text: str) -> Observation:
    """An observation whose whole output is in a blob."""
    full = session.recorder.put_blob(text.encode())
    return Observation(step=1, call_id="c", name="bash", text="", seconds=0.1, full=full)


def test_a_killed_refresh_leaves_an_index_that_goes_on(tmp_path: Path) -> None:
    store = RecordingStore(tmp_path)
    for seed in range(20):
        record_session(store.create_folder()[1], seed=seed, rounds=1)

    def refresh(_: Acknowledge) -> None:
        with RecordingIndex(store) as index:
            index.refresh()

    chance = random.Random(4)
    for _ in range(50):
        kill_at_random(refresh, chance, within=0.04)
    with RecordingIndex(store) as index:
        index.refresh()
        (count,) = index.db.execute("SELECT count(*) FROM recordings").fetchone()
        assert count == 20
        assert index.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
