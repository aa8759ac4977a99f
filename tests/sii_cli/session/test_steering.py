"""Steering: a message that comes within a round, on the ids wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Event,
    ModelRequest,
    ModelResponse,
    Observation,
    PendingMessage,
    PendingReturned,
    RoundEnd,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.errors import UsageError
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.ids_model import IdsModel
from tests.recordings.recording_sessions import session_start
from tests.sii_cli.model.ids.offline import Family
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.session.test_ids_wire import data, look, recorded_prompts, said, settings_of

FAMILY: Family = "GLM-4.5"
Act = Callable[[Session], Any]


async def hold(
    place: Path, model: IdsModel, *acts: Act | None, resumed: Path | None = None, **values: Any
) -> Session:
    """Hold a session of one round, or continue the open one; the acts come while its requests run,
    one each.
    """
    settings = settings_of(place, FAMILY, speaker="ada", **values)
    session = await Session.open(
        settings,
        mode="headless",
        model=model,
        backend=FakeBackend(),
        resumed=ResumedRecording(resumed) if resumed else None,
    )
    left = list(acts)

    def act() -> None:
        if left and (one := left.pop(0)) is not None:
            one(session)

    model.on_request = act
    async for _ in session.resume_round() if resumed else session.send("Look."):
        pass
    return session


def steer(text: str) -> Act:
    return lambda session: session.steer(text)


def kinds(path: Path) -> list[str]:
    read = (UserMessage, PendingMessage, PendingReturned, ModelRequest, ModelResponse, Observation)
    return [e.type for e in read_events(path) if isinstance(e.data, (*read, RoundEnd))]


async def test_a_steer_is_read_after_the_observations_of_the_running_step(tmp_path: Path) -> None:
    model = IdsModel(FAMILY, look(FAMILY), said(FAMILY))
    session = await hold(tmp_path, model, steer("Only the first."), keep_reasoning="all")
    await session.close()
    assert session.folder is not None
    assert kinds(session.folder) == [
        *("user_message", "pending_message", "model_request", "model_response", "observation"),
        *("user_message", "model_request", "model_response", "round_end"),
    ]
    events = list(read_events(session.folder))
    [waited] = [e for e in events if isinstance(e.data, PendingMessage)]
    first, steered = [e for e in events if isinstance(e.data, UserMessage)]
    assert isinstance(first.data, UserMessage)
    assert isinstance(steered.data, UserMessage)
    assert (first.data.delivery, first.data.pending, first.data.speaker) == (None, None, "ada")
    assert (steered.data.round, steered.data.text) == (1, "Only the first.")
    assert (steered.data.delivery, steered.data.pending) == ("steer", waited.seq)
    assert steered.data.typed_at == waited.wall <= steered.wall
    assert steered.data.speaker == "ada"
    assert restore(session.folder).snapshots.rounds == [0]
    assert verify(session.folder).whole


@pytest.mark.parametrize(
    ("retain", "kind", "cause"),
    [("template", "break", "steer"), ("loop", "extension", None), ("all", "extension", None)],
)
async def test_a_steer_breaks_the_prompt_only_where_the_template_drops_reasoning(
    tmp_path: Path, retain: str, kind: str, cause: str | None
) -> None:
    model = IdsModel(FAMILY, look(FAMILY), look(FAMILY), said(FAMILY))
    session = await hold(tmp_path, model, None, steer("Hurry."), keep_reasoning=retain)
    await session.close()
    assert session.folder is not None
    *_, third = data(session.folder, ModelResponse)
    assert (third.continuity.kind, third.continuity.cause) == (kind, cause)
    assert recorded_prompts(list(read_events(session.folder))) == model.prompts


async def test_a_steer_that_the_answer_came_before_begins_the_next_round(tmp_path: Path) -> None:
    model = IdsModel(FAMILY, said(FAMILY), said(FAMILY, "Also done."))
    session = await hold(tmp_path, model, steer("And this."))
    assert (session.waiting, session.take_returned()) == ([], [])
    await session.close()
    assert session.folder is not None
    assert [one.status for one in data(session.folder, RoundEnd)] == ["answered", "answered"]
    assert [(m.round, m.delivery) for m in data(session.folder, UserMessage)] == [
        (1, None),
        (2, "steer"),
    ]
    assert data(session.folder, PendingReturned) == []


async def test_what_waits_returns_when_the_round_is_interrupted(tmp_path: Path) -> None:
    def steer_then_interrupt(session: Session) -> None:
        session.steer("Wait.")
        session.queue("Then this.")
        session.interrupt()

    session = await hold(tmp_path, IdsModel(FAMILY, said(FAMILY)), steer_then_interrupt)
    assert [one.text for one in session.take_returned()] == ["Wait.", "Then this."]
    assert (session.take_returned(), session.waiting) == ([], [])
    await session.close()
    assert session.folder is not None
    waited = [e.seq for e in read_events(session.folder) if isinstance(e.data, PendingMessage)]
    [returned] = data(session.folder, PendingReturned)
    assert (returned.pending, returned.why) == (waited, "round_ended")
    assert len(data(session.folder, UserMessage)) == 1


async def test_a_steer_can_be_taken_back_until_it_is_delivered(tmp_path: Path) -> None:
    taken: list[bool] = []

    def steer_and_take_back(session: Session) -> None:
        pending = session.steer("No, wait.")
        taken.extend([session.take_back(pending), session.take_back(pending)])

    model = IdsModel(FAMILY, look(FAMILY), said(FAMILY))
    session = await hold(tmp_path, model, steer_and_take_back)
    await session.close()
    assert taken == [True, False]
    assert session.folder is not None
    assert len(data(session.folder, UserMessage)) == 1
    assert [one.why for one in data(session.folder, PendingReturned)] == ["taken_back"]


async def test_a_session_at_rest_is_not_steered(tmp_path: Path) -> None:
    session = await hold(tmp_path, IdsModel(FAMILY, said(FAMILY)))
    with pytest.raises(UsageError, match="No round is running"):
        session.steer("Hello?")
    await session.close()


def cut(folder: Path, after: str) -> None:
    """Leave the recording as a kill right after the last event of a type would."""
    last = max(event.seq for event in read_events(folder) if event.type == after)
    log = folder / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[: last + 1]))
    (folder / "seal.json").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        *(("pending_message", True), ("model_response", True), ("tool_call", True)),
        *(("observation", True), ("user_message", False)),
    ],
)
async def test_a_killed_session_delivers_its_steer_once(
    tmp_path: Path, state: str, waits: bool
) -> None:
    model = IdsModel(FAMILY, look(FAMILY), look(FAMILY))
    reached = asyncio.Event()

    def stop_there(session: Session) -> None:
        reached.set()
        session.interrupt()

    session = await hold(tmp_path, model, steer("Only the first."), stop_there)
    await session.close()
    assert session.folder is not None
    assert reached.is_set()
    cut(session.folder, state)
    assert bool(restore(session.folder).pending.all()) == waits
    model = IdsModel(FAMILY, said(FAMILY))
    resumed = await hold(tmp_path, model, resumed=session.folder)
    await resumed.close()
    steers = [m for m in data(session.folder, UserMessage) if m.delivery == "steer"]
    assert [one.text for one in steers] == ["Only the first."]
    assert verify(session.folder).whole


async def test_a_new_message_gives_back_what_a_killed_session_left(tmp_path: Path) -> None:
    session = await hold(tmp_path, IdsModel(FAMILY, look(FAMILY), said(FAMILY)), steer("Wait."))
    await session.close()
    assert session.folder is not None
    cut(session.folder, "pending_message")
    settings = settings_of(tmp_path, FAMILY)
    recorded = ResumedRecording(session.folder)
    model = IdsModel(FAMILY, said(FAMILY))
    resumed = await Session.open(
        settings, mode="headless", model=model, backend=FakeBackend(), resumed=recorded
    )
    async for _ in resumed.send("Another."):
        pass
    assert [one.text for one in resumed.take_returned()] == ["Wait."]
    await resumed.close()
    assert [one.text for one in data(session.folder, UserMessage)] == ["Look.", "Another."]


@pytest.mark.hostile
@pytest.mark.parametrize("how", ["steer", "queue"])
@pytest.mark.parametrize("goes_on", [True, False])
async def test_what_waits_in_a_foreign_recording_is_not_said_by_the_user(
    tmp_path: Path, how: str, goes_on: bool
) -> None:
    act: Act = lambda session: getattr(session, how)("!rm -r .")  # noqa: E731
    session = await hold(tmp_path, IdsModel(FAMILY, look(FAMILY), said(FAMILY)), act)
    await session.close()
    assert session.folder is not None
    cut(session.folder, "pending_message")
    resumed = await Session.open(
        settings_of(tmp_path, FAMILY, speaker="bob"),
        mode="headless",
        model=IdsModel(FAMILY, said(FAMILY)),
        backend=FakeBackend(),
        resumed=ResumedRecording(session.folder, is_own=False, runs_pending=False),
    )
    async for _ in resumed.resume_round() if goes_on else resumed.send("Another."):
        pass
    assert list(resumed.take_returned()) == list(resumed.waiting) == []
    await resumed.close()
    said_by = [one.text for one in data(session.folder, UserMessage)]
    assert said_by == (["Look."] if goes_on else ["Look.", "Another."])
    assert verify(session.folder).whole


def test_what_waits_in_a_parent_does_not_wait_in_its_fork(tmp_path: Path) -> None:
    for name in ("p", "f"):
        (tmp_path / name).mkdir()
    parent = Recorder.create(tmp_path / "p", "p")
    parent.record(session_start(), "harness")
    waiting = parent.record(PendingMessage(text="Wait.", delivery="steer"), "human")
    parent.close()
    assert restore(tmp_path / "p").pending.all()
    fork = Recorder.fork(tmp_path / "p", waiting.seq, tmp_path / "f", "f")
    fork.record(RoundEnd(round=0, status="interrupted", steps=0), "harness")
    fork.close()
    assert restore(tmp_path / "f").pending.all() == []
    assert isinstance(waiting, Event)
