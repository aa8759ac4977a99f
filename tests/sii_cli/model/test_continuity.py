"""Whether a prompt goes on from what the model read and wrote, seen in the recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.ids import IdTrail
from recordings.events import (
    Continuity,
    HarnessMessage,
    ModelResponse,
    RoundEnd,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from sii_cli.agent.loop import AgentLoop
from sii_cli.model.types import STREAMING
from sii_cli.model.vllm import VllmModel
from tests.fakes.script import BreakAfter, CutOff, HttpError, Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import SHORT
from tools.base import Emit, ToolResult

LOOK = Turn(reasoning="I look.", content="", calls=[("bash", {"command": "ls"})])
ANSWER = Turn(reasoning="Seen.", content="Two files.")
EXTENDS = Continuity(kind="extension")


class Toolbox:
    """One tool that always says the same."""

    def parallel(self, name: str) -> bool:
        return False

    def may_change(self, name: str, arguments: str) -> bool:
        return not self.parallel(name)

    def parse(self, arguments: str) -> dict[str, Any]:
        return {}

    async def call(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        return ToolResult("a.py\nb.py")


async def responses(
    folder: Path, script: list[Any], tasks: list[str], **params: Any
) -> tuple[list[ModelResponse], dict[str, int]]:
    """Run rounds against a scripted server; what was recorded of the responses, and the breaks."""
    recorder = Recorder.create(folder, "20261123-204950-a3f9c2")
    async with ScriptedServer(script) as server:
        model = VllmModel(base_url=server.base_url, waits=SHORT)
        await model.describe()
        loop = AgentLoop(
            model=model,
            toolbox=Toolbox(),  # type: ignore[arg-type]
            tools=b"[]",
            recorder=recorder,
            params={"model": "glm", **STREAMING, **params},
        )
        for task in tasks:
            async for _ in loop.round(task):
                pass
        await model.aclose()
        prompts = [request.prompt_ids for request in server.requests]
    recorder.close()
    found = [e.data for e in read_events(folder) if isinstance(e.data, ModelResponse)]
    rebuilt = rebuild(found)
    assert all(prompt in prompts for prompt in rebuilt)
    return found, loop.breaks


def rebuild(found: list[ModelResponse]) -> list[list[int]]:
    """The prompts' ids, from the recording alone."""
    trail, prompts = IdTrail(), []
    for response in found:
        assert response.prompt_ids is not None
        prompts.append(trail.expand(response.prompt_ids))
        trail.advance(prompts[-1], response.generated_ids or [])
    return prompts


async def test_within_a_round_every_prompt_is_an_extension(tmp_path: Path) -> None:
    found, breaks = await responses(tmp_path, [LOOK, LOOK, ANSWER], ["Look."])
    assert [response.continuity for response in found] == [
        Continuity(kind="first"),
        EXTENDS,
        EXTENDS,
    ]
    assert breaks == {}


async def test_a_new_round_breaks_where_the_template_drops_the_reasoning(tmp_path: Path) -> None:
    found, breaks = await responses(tmp_path, [LOOK, ANSWER, ANSWER], ["Look.", "Again."])
    broken = found[-1].continuity
    assert broken is not None
    assert (broken.kind, broken.cause) == ("break", "new_round")
    assert broken.at == found[-1].prompt_ids.keep  # type: ignore[union-attr]
    assert breaks == {"new_round": 1}


async def test_a_new_round_extends_when_the_template_keeps_the_reasoning(tmp_path: Path) -> None:
    found, breaks = await responses(
        tmp_path,
        [LOOK, ANSWER, ANSWER],
        ["Look.", "Again."],
        chat_template_kwargs={"clear_thinking": False},
    )
    assert [response.continuity for response in found[1:]] == [EXTENDS, EXTENDS]
    assert breaks == {}


async def test_what_is_rendered_otherwise_than_written_is_drift(tmp_path: Path) -> None:
    bad = Turn(calls=[("bash", "not json")])
    found, breaks = await responses(tmp_path, [bad, ANSWER], ["Look."])
    drift = found[-1].continuity
    assert drift is not None
    assert (drift.kind, drift.cause) == ("break", "drift")
    assert breaks == {"drift": 1}


@pytest.mark.parametrize("trouble", [BreakAfter(LOOK, 5), HttpError(500)])
async def test_a_failed_attempt_leaves_no_trace_in_the_ids(tmp_path: Path, trouble: Any) -> None:
    found, _ = await responses(tmp_path, [LOOK, trouble, ANSWER], ["Look."])
    assert [response.continuity for response in found] == [Continuity(kind="first"), EXTENDS]


async def test_a_round_that_failed_is_still_known_as_the_cause(tmp_path: Path) -> None:
    refused = HttpError(400)
    found, _ = await responses(
        tmp_path, [LOOK, ANSWER, refused, ANSWER], ["Look.", "Fail.", "Again."]
    )
    assert found[-1].continuity is not None
    assert found[-1].continuity.cause == "new_round"


async def test_a_message_that_was_cut_off_is_a_break(tmp_path: Path) -> None:
    found, breaks = await responses(tmp_path, [CutOff(LOOK, 9), ANSWER], ["Look."])
    assert not found[0].complete
    assert breaks == {"drift": 1}


LOST = replace(LOOK, parsed=False)


async def test_a_call_that_the_server_did_not_parse_is_asked_for_again(tmp_path: Path) -> None:
    found, _ = await responses(tmp_path, [LOST, LOOK, ANSWER], ["Look."])
    assert found[0].flags == ["call_not_parsed"]
    assert [len(response.calls) for response in found] == [0, 1, 0]
    notes = [e.data for e in read_events(tmp_path) if isinstance(e.data, HarnessMessage)]
    assert [note.reason for note in notes] == ["call_not_parsed"]
    assert ends(tmp_path) == ["answered"]


async def test_calls_that_are_never_parsed_end_the_round(tmp_path: Path) -> None:
    await responses(tmp_path, [LOST, LOST, LOST], ["Look."])
    assert ends(tmp_path) == ["failed"]


def ends(folder: Path) -> list[str]:
    """How the rounds ended."""
    return [e.data.status for e in read_events(folder) if isinstance(e.data, RoundEnd)]


async def test_without_ids_nothing_is_claimed(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, "20261123-204950-a3f9c2")
    async with ScriptedServer([ANSWER], ids=False) as server:
        model = VllmModel(base_url=server.base_url)
        loop = AgentLoop(
            model=model,
            toolbox=Toolbox(),  # type: ignore[arg-type]
            tools=b"[]",
            recorder=recorder,
            params={"model": "glm", **STREAMING},
        )
        async for _ in loop.round("Look."):
            pass
        await model.aclose()
    recorder.close()
    (response,) = (e.data for e in read_events(tmp_path) if isinstance(e.data, ModelResponse))
    assert response.continuity is None
    assert "ids_missing" in response.flags


def test_a_user_is_known_by_how_the_message_begins() -> None:
    from recordings.conversation.messages import encode_message, message_of
    from sii_cli.model.continuity import is_of_user

    message = message_of(UserMessage(round=1, text="Hi"))
    assert message is not None
    assert is_of_user(encode_message(message))
