"""Text against ids: what a parser lost or moved is found, what it only trimmed is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.events import CallRequest, Flag, ModelResponse, RawGeneration, RoundEnd
from recordings.flags import FLAGS
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.agent import generation_check
from sii_cli.agent.loop import AgentLoop
from sii_cli.model.forms.glm import differences
from sii_cli.model.types import STREAMING
from sii_cli.model.vllm import VllmModel
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import SHORT
from tests.sii_cli.model.test_continuity import Toolbox

GLM47 = (
    "I look.</think>Two at once.<tool_call>bash<arg_key>command</arg_key><arg_value>ls -l"
    "</arg_value><arg_key>timeout</arg_key><arg_value>30</arg_value></tool_call>"
    "<tool_call>todo<arg_key>items</arg_key><arg_value>[1, {}]</arg_value></tool_call>"
)
GLM45 = (
    "\n<think>I look.</think>\nTwo at once.\n<tool_call>bash\n<arg_key>command</arg_key>\n"
    "<arg_value>ls -l</arg_value>\n<arg_key>timeout</arg_key>\n<arg_value>30</arg_value>\n"
    "</tool_call>\n<tool_call>todo\n<arg_key>items</arg_key>\n<arg_value>[1, {}]</arg_value>\n"
    "</tool_call>"
)
CALLS = (("bash", {"command": "ls -l", "timeout": 30}), ("todo", {"items": [1, {}]}))


def call(index: int, name: str, arguments: str) -> CallRequest:
    return CallRequest(index=index, call_id=f"c{index}", name=name, arguments=arguments)


def calls(*wanted: tuple[str, Any]) -> list[CallRequest]:
    return [call(i, name, json.dumps(args)) for i, (name, args) in enumerate(wanted)]


def found(
    raw: str, reasoning: str | None = "I look.", content: str | None = "Two at once.", *made: Any
) -> list[Flag]:
    return differences(raw, reasoning, content, calls(*(made or CALLS)))


def test_a_turn_as_it_was_parsed_has_no_flag() -> None:
    assert found(GLM47) == []
    # As vLLM 0.32 streams GLM-4.5's form: line ends are moved into the texts beside them.
    assert found(GLM45, "\nI look.", "\nTwo at once.\n\n") == []
    assert found(GLM45) == []


@pytest.mark.parametrize(
    ("raw", "reasoning", "content"),
    [
        ("Hi there!", None, "Hi there!"),
        ("Hm.</think>Hi.", "Hm.", "Hi."),
        ("Only a thought", "Only a thought", None),
        ("\n<think></think>\nHi.", None, "\nHi."),
        ("I would <tool_call>, I thought.</think>Hi.", "I would <tool_call>, I thought.", "Hi."),
    ],
)
def test_answers_without_a_call(raw: str, reasoning: str | None, content: str | None) -> None:
    assert differences(raw, reasoning, content, []) == []


@pytest.mark.parametrize(
    ("raw", "shown", "flags"),
    [
        (GLM47, {"reasoning": "I loo"}, ["reasoning_differs"]),
        (GLM47, {"reasoning": None}, ["reasoning_differs"]),
        (GLM47, {"content": None}, ["content_differs"]),
        (GLM47.replace("once.", "once.</think>"), {}, ["content_differs"]),
        (GLM47.replace("look.", "look. "), {}, ["whitespace_differs"]),
        (GLM47.replace("ls -l<", "ls -l <"), {}, ["whitespace_differs"]),
        (GLM47.replace("30", "31"), {}, ["calls_differ"]),
        (GLM47.replace("ls -l", "ls"), {}, ["calls_differ"]),
        (GLM47.replace("bash", "bush"), {}, ["calls_differ"]),
        (GLM47.replace("timeout", "command"), {}, ["calls_differ"]),
        (GLM47.replace("ls -l", "ls</arg_value>-l"), {}, ["calls_differ"]),
        (GLM47 + "<tool_call>gone</tool_call>", {}, ["calls_differ"]),
        (GLM47.removesuffix("</tool_call>"), {}, ["call_unterminated"]),
        (GLM47 + "Done.", {"content": "Two at once.Done."}, ["text_moved"]),
        (GLM47 + "Done.", {}, ["content_differs", "text_moved"]),
    ],
)
def test_what_was_lost_or_moved_is_flagged(
    raw: str, shown: dict[str, Any], flags: list[str]
) -> None:
    assert found(raw, **shown) == flags


def test_values_are_read_as_lenient_parsers_read_them() -> None:
    raw = "".join(
        f"<arg_key>{key}</arg_key><arg_value>{value}</arg_value>"
        for key, value in (("a", "True"), ("b", "030"), ("c", "[1, 'x']"), ("d", "1e3"))
    )
    made = ("f", {"a": True, "b": 30, "c": [1, "x"], "d": 1000})
    assert found(f"<tool_call>f{raw}</tool_call>", None, None, made) == []


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_gives_flags_that_have_words(a: str, b: str, c: str, d: str) -> None:
    raw = f"{a}</think>{b}<tool_call>{c}<arg_key>k</arg_key><arg_value>{d}</arg_value></tool_call>"
    flags = differences(raw, a, b, [call(0, c.strip(), json.dumps({"k": d}))])
    assert set(flags) <= set(FLAGS)
    if not any("<" in text for text in (a, b, c, d)):
        assert "calls_differ" not in flags
        assert set(flags) <= {"whitespace_differs"}


LOST = Turn(reasoning="I look.", content="See.", calls=[("bash", {"command": "ls"})])
ANSWER = Turn(reasoning="Seen.", content="Two files.")


async def run(folder: Path, server: ScriptedServer) -> list[Any]:
    """One round against the server; the events."""
    recorder = Recorder.create(folder, "20261123-204950-a3f9c2")
    model = VllmModel(base_url=server.base_url, waits=SHORT)
    await model.describe()
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
    return [event.data for event in read_events(folder)]


async def test_a_thought_that_the_parser_lost_is_recorded_with_the_raw_text(tmp_path: Path) -> None:
    silent = Turn(reasoning="I look.", content="See.", shown=False)
    async with ScriptedServer([LOST, silent]) as server:
        events = await run(tmp_path, server)
    (raw,) = (data for data in events if isinstance(data, RawGeneration))
    assert (raw.step, raw.flags) == (2, ["reasoning_differs", "content_differs"])
    assert raw.text == "I look.</think>See."
    assert isinstance(events[-1], RoundEnd)
    notes = verify(tmp_path).notes
    assert any(note.startswith("flagged content_differs (the answer") for note in notes)
    assert verify(tmp_path).whole


async def test_nothing_is_recorded_of_turns_that_are_the_same(tmp_path: Path) -> None:
    async with ScriptedServer([LOST, ANSWER]) as server:
        events = await run(tmp_path, server)
    assert not [data for data in events if isinstance(data, RawGeneration)]
    assert server.spelled == 3, "once to see that it can be asked, then each response"


async def test_a_server_that_does_not_tell_in_time_costs_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_check, "PATIENCE", 0.05)
    async with ScriptedServer([LOST, ANSWER]) as server:
        server.slow_to_spell = 5.0
        events = await run(tmp_path, server)
    flags = [data.flags for data in events if isinstance(data, RawGeneration)]
    assert flags == [["text_unchecked"]] * 2
    assert len([data for data in events if isinstance(data, ModelResponse)]) == 2
