"""Another model, or another way to think, in the middle of a session: a recorded break."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.restore import restore
from recordings.events import HarnessMessage, ModelChange, ModelResponse, SandboxStart
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import Sample
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.errors import UsageError
from sii_cli.model.errors import ModelCallFailed
from sii_cli.session.fork_in_place import fork_in_place
from sii_cli.session.session import Session
from tests.fakes.ids_model import IdsModel
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.model.ids.offline import Family, vocabulary
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.session.test_ids_wire import (
    data,
    look,
    recorded_prompts,
    said,
    settings_of,
    talk,
)

FAMILY: Family = "GLM-4.7"


class NotThere(ScriptedModel):
    async def describe(self) -> Any:
        raise ModelCallFailed("connect", "No server answers.")


async def opened(place: Path, model: Any, **values: Any) -> Session:
    settings = settings_of(place, FAMILY, keep_reasoning="all", **values)
    return await Session.open(settings, mode="headless", model=model, backend=FakeBackend())


async def say(session: Session, text: str) -> None:
    async for _ in session.send(text):
        pass


def samples(folder: Path) -> list[Sample]:
    return [one for one in samples_of(folder, SamplePolicy()) if isinstance(one, Sample)]


async def test_another_family_writes_the_text_in_its_own_ids(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY, look(FAMILY), said(FAMILY)))
    await say(session, "Look.")
    other = IdsModel("Qwen3", "<think>\nS\n</think>\n\nOne.<|im_end|>")
    other.name = "qwen-ids"
    theirs = settings_of(tmp_path, "Qwen3", keep_reasoning="all", model="qwen-ids")
    served = await session.change_model(theirs, other)
    assert (served.name, session.settings.model) == ("qwen-ids", "qwen-ids")
    await say(session, "Again.")
    await session.close()
    assert session.folder is not None
    [change] = data(session.folder, ModelChange)
    assert (change.model, change.wire.form) == ("qwen-ids", "Qwen3")
    last = data(session.folder, ModelResponse)[-1]
    assert (last.continuity.kind, last.continuity.cause) == ("break", "model")
    assert "<think>\nI look.\n</think>" in vocabulary("Qwen3").spell(other.prompts[0])
    assert recorded_prompts(list(read_events(session.folder)))[-1] == other.prompts[0]
    assert [one.model for one in samples(session.folder)] == ["glm-ids", "qwen-ids"]
    assert verify(session.folder).whole


async def test_the_sandbox_stays_and_what_waits_is_delivered(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY, said(FAMILY)))
    await session.sandbox()
    await say(session, "Look.")
    assert session._loop is not None
    session._loop.inbox.add_note(HarnessMessage(reason="human_command", text="$ ls"))
    await session.change_model(session.settings, IdsModel(FAMILY, said(FAMILY)))
    await say(session, "Again.")
    await session.close()
    assert session.folder is not None
    assert len(data(session.folder, SandboxStart)) == 1
    assert [one.reason for one in data(session.folder, HarnessMessage)] == ["human_command"]


async def test_thinking_off_is_a_break_and_another_sample(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY, said(FAMILY)))
    await say(session, "Look.")
    quiet = IdsModel(FAMILY, "Done.<|user|>")
    await session.change_model(replace(session.settings, enable_thinking=False), quiet)
    await say(session, "Again.")
    await session.close()
    assert session.folder is not None
    assert data(session.folder, ModelChange)[0].thinking is False
    assert restore(session.folder).thinking is False
    assert "enable_thinking" in str(quiet.asked[0].params)
    assert len(samples(session.folder)) == 2
    assert verify(session.folder).whole


async def test_a_fork_thinks_as_its_parent_and_is_not_another_model(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, FAMILY, keep_reasoning="template", enable_thinking=True)
    parent = await talk(settings, IdsModel(FAMILY, look(FAMILY), said(FAMILY)), "Look.")
    fork = fork_in_place(settings, parent, None).folder
    assert restore(fork).thinking is True
    await talk(settings, IdsModel(FAMILY, said(FAMILY)), "Again.", resumed=fork)
    last = data(fork, ModelResponse)[-1]
    assert (last.continuity.kind, last.continuity.cause) == ("break", "new_round")


async def test_one_that_cannot_be_reached_changes_nothing(tmp_path: Path) -> None:
    model = IdsModel(FAMILY, said(FAMILY), said(FAMILY))
    session = await opened(tmp_path, model)
    await say(session, "Look.")
    before = session.settings
    with pytest.raises(ModelCallFailed):
        await session.change_model(replace(before, model="gone"), NotThere())
    assert session.settings is before
    await say(session, "Again.")
    await session.close()
    assert session.folder is not None
    assert data(session.folder, ModelChange) == []
    assert data(session.folder, ModelResponse)[-1].continuity.kind == "extension"


async def test_text_that_spells_control_tokens_is_not_sent_as_messages(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY, said(FAMILY), said(FAMILY)))
    await say(session, "What is <|user|>?")
    messages = replace(session.settings, wire="messages")
    with pytest.raises(UsageError, match="can be sent as ids alone"):
        await session.change_model(messages, ScriptedModel(answer("It is a token.")))
    await say(session, "Go on.")
    await session.close()


async def test_before_the_first_message_it_is_the_model_from_the_start(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY))
    other = IdsModel(FAMILY, said(FAMILY))
    other.name = "tuned"
    await session.change_model(replace(session.settings, model="tuned"), other)
    await say(session, "Look.")
    await session.close()
    assert session.folder is not None
    assert restore(session.folder, 0).start.model == "tuned"
    assert data(session.folder, ModelChange) == []


async def test_an_ended_recording_is_refused(tmp_path: Path) -> None:
    session = await opened(tmp_path, IdsModel(FAMILY, said(FAMILY)))
    await say(session, "Look.")
    await session.end_recording()
    with pytest.raises(UsageError, match="not recorded any more"):
        await session.change_model(session.settings, IdsModel(FAMILY))
    await session.close()
