"""The prompt of a parked session only grows: over replies, suspensions and other processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.conversation.parking import parking_of
from recordings.events import ModelResponse, Parked
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.inbox.reply import record_reply
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.consenting import consented
from tests.fakes.ids_model import IdsModel
from tests.sii_cli.model.ids.offline import Family
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.session.test_ids_wire import look, recorded_prompts, said, settings_of

FAMILY: Family = "GLM-4.5"
Act = Literal["reply", "suspend", "leave at once"]
ACTS = st.lists(st.sampled_from(("reply", "suspend", "leave at once")), max_size=4)
CAUSES = {"template": {"new_round"}, "loop": {"new_round"}, "all": set[str]()}


async def hold(place: Path, retain: str, acts: list[Act]) -> Path:
    """Hold a session that is parked at each answer, with a reply for each act."""
    chosen = settings_of(place, FAMILY, keep_reasoning=retain, key_home=place, speaker="ada")
    model = IdsModel(FAMILY, *([look(FAMILY), look(FAMILY), said(FAMILY)] * 10))

    async def opened(folder: Path | None) -> Session:
        resumed = ResumedRecording(folder) if folder else None
        return await Session.open(
            chosen, mode="batch", model=model, backend=FakeBackend(), resumed=resumed
        )

    session = await opened(None)
    async for _ in session.send("Look.", "query"):
        pass
    folder = await parked(session)
    for act in acts:
        record_reply(folder, "Once more.", chosen)
        session = await opened(folder)
        if act == "suspend":
            model.on_request = session.suspend
        if act == "leave at once":
            session.suspend()
        async for _ in session.send_waiting():
            pass
        model.on_request = lambda: None
        if act != "reply":
            await session.close()
            parking = parking_of(folder)
            assert parking is not None
            assert parking.stage == "in_round"
            session = await opened(folder)
            async for _ in session.resume_round():
                pass
        await parked(session)
    return folder


async def parked(session: Session) -> Path:
    session.note(Parked(status="answered"), "harness")
    session.park()
    await session.close()
    assert session.folder is not None
    return session.folder


@settings(max_examples=12, deadline=None)
@given(retain=st.sampled_from(("template", "loop", "all")), acts=ACTS)
def test_each_prompt_begins_with_the_one_before(retain: str, acts: list[Act]) -> None:
    with TemporaryDirectory() as name, patch.dict(os.environ, {"SII_HOME": name}):
        consented(Path(name))
        folder = asyncio.run(hold(Path(name), retain, acts))
        events = list(read_events(folder))
        responses = [one.data for one in events if isinstance(one.data, ModelResponse)]
        before: list[int] = []
        for prompt, one in zip(recorded_prompts(events), responses, strict=True):
            assert one.continuity is not None
            if one.continuity.kind == "break":
                assert one.continuity.cause in CAUSES[retain]
            else:
                kept = before[:-1] if one.continuity.stop_replaced else before
                assert prompt[: len(kept)] == kept
            before = prompt + (one.generated_ids or [])
        assert len(responses) == 3 * (len(acts) + 1)
        assert verify(folder).whole
