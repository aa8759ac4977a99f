"""Whatever comes between the steps, the prompt only grows, but for recorded breaks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.events import HarnessMessage, ModelResponse
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.agent.round_control import RoundOver
from sii_cli.session.fork_in_place import fork_in_place
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.ids_model import IdsModel
from tests.sii_cli.model.ids.offline import Family
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.session.test_ids_wire import look, recorded_prompts, said, settings_of

FAMILY: Family = "GLM-4.5"
Within = Literal["nothing", "steer", "queue", "take back", "note", "interrupt"]
Between = Literal["nothing", "compact", "resume", "rewind", "model", "think"]
WITHIN = st.sampled_from(("nothing", "nothing", "steer", "queue", "take back", "note", "interrupt"))
BETWEEN = st.sampled_from(("nothing", "compact", "resume", "rewind", "model", "think"))
CAUSES = {
    "template": {"new_round", "steer", "compaction", "model", "taken_back"},
    "loop": {"new_round", "compaction", "model", "taken_back"},
    "all": {"compaction", "model", "taken_back"},
}


def act_within(session: Session, act: Within) -> None:
    if not session.in_round:
        return
    match act:
        case "steer":
            session.steer("Hurry.")
        case "queue":
            session.queue("Later.")
        case "take back" if session.waiting:
            session.take_back(session.waiting[-1])
        case "note":
            assert session._loop is not None
            note = HarnessMessage(reason="human_command", text="$ ls\n<|user|>")
            session._loop.inbox.add_note(note)
        case "interrupt":
            session.interrupt()


async def hold(
    place: Path, retain: str, within: list[Within], between: list[Between]
) -> list[Path]:
    """Hold a session of rounds with these acts; return its recording and its forks."""
    chosen = settings_of(place, FAMILY, keep_reasoning=retain)
    model = IdsModel(FAMILY, *([look(FAMILY), look(FAMILY), said(FAMILY)] * 20))
    session = await Session.open(chosen, mode="headless", model=model, backend=FakeBackend())
    acts, folders = iter(within), []

    def act() -> None:
        act_within(session, next(acts, "nothing"))

    model.on_request = act
    for one in ["nothing", *between]:
        if one in ("resume", "rewind") and session.folder is not None:
            folders.append(session.folder)
            await session.close()
            last = [e.seq for e in read_events(session.folder) if e.type == "user_message"][-1]
            resumed = ResumedRecording(session.folder)
            if one == "rewind":
                resumed = fork_in_place(chosen, session.folder, last - 1)
            session = await Session.open(
                chosen, mode="headless", model=model, backend=FakeBackend(), resumed=resumed
            )
        if one in ("model", "think"):
            if one == "think":
                chosen = replace(chosen, enable_thinking=not chosen.enable_thinking)
            else:
                model.name += "-tuned"
            await session.change_model(chosen, model)
        if one == "compact":
            with suppress(RoundOver):
                async for _ in session.compact():
                    pass
        async for _ in session.send("Look."):
            pass
    await session.close()
    assert session.folder is not None
    return [*folders, session.folder]


@settings(max_examples=25, deadline=None)
@given(
    retain=st.sampled_from(("template", "loop", "all")),
    within=st.lists(WITHIN, max_size=12),
    between=st.lists(BETWEEN, max_size=3),
)
def test_each_prompt_begins_with_the_one_before_and_what_was_generated(
    retain: str, within: list[Within], between: list[Between]
) -> None:
    with TemporaryDirectory() as place:
        for folder in set(asyncio.run(hold(Path(place), retain, within, between))):
            events = list(read_events(folder))
            responses = [e.data for e in events if isinstance(e.data, ModelResponse)]
            before: list[int] = []
            for prompt, one in zip(recorded_prompts(events), responses, strict=True):
                assert one.continuity is not None
                if one.continuity.kind == "break":
                    assert one.continuity.cause in CAUSES[retain]
                else:
                    kept = before[:-1] if one.continuity.stop_replaced else before
                    assert prompt[: len(kept)] == kept
                before = prompt + (one.generated_ids or [])
            assert verify(folder).whole
