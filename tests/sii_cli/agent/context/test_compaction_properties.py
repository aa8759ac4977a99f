"""Whatever was said before: a compacted history is one that a template can render, and fits."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.conversation.restore import restore
from recordings.events import Compaction
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.fakes.scripted_model import Script, answer, calls
from tests.sii_cli.agent.context.compacting import LENGTH, Bench

results = st.lists(st.integers(0, 4000), min_size=1, max_size=3)
rounds = st.lists(
    st.tuples(st.integers(1, 2500), st.lists(results, max_size=4), st.integers(1, 3000)),
    min_size=1,
    max_size=5,
)


def steps(wanted: list[list[int]], said: int) -> list[Script]:
    """A round's turns: calls that return so many characters each, then an answer."""
    made = [
        calls(*[("say", json.dumps({"word": "abc", "times": each // 4})) for each in step])
        for step in wanted
    ]
    return [*made, answer("y" * said)]


def check_whole(prompt: list[dict[str, Any]]) -> None:
    """Every result follows the call it answers, and every call has one."""
    open_calls: list[str] = []
    for message in prompt:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
    assert not open_calls


@settings(max_examples=30, deadline=None)
@given(rounds=rounds)
async def test_a_compacted_history_is_whole_and_fits(
    rounds: list[tuple[int, list[list[int]], int]],
) -> None:
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.model.summary = "A summary."
        said = []
        for number, (asked, wanted, answered) in enumerate(rounds):
            bench.play(*steps(wanted, answered))
            said.append(f"{number} " + "x" * asked)
            end = await bench.say(said[-1])
            assert end.status in ("answered", "limit")
        bench.recorder.close()
        for request, messages in zip(bench.model.asked, bench.model.requests, strict=True):
            prompt = [orjson.loads(message) for message in messages]
            check_whole(prompt)
            assert prompt[0]["role"] == "system"
            words = [m["content"] for m in prompt if m["role"] == "user"]
            assert words == [text for text in said if text in words], "in their order"
            size = sum(map(len, messages)) // 4
            assert size + request.params["max_tokens"] < LENGTH * 1.3
        assert verify(Path(folder)).whole
        for event in read_events(Path(folder)):
            if isinstance(event.data, Compaction):
                kept = restore(Path(folder), event.seq).messages
                check_whole([orjson.loads(message.encoded) for message in kept])
