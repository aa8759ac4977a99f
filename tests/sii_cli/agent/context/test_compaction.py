"""A full context: old observations go, then everything is summarised; nothing else is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Compaction,
    Event,
    HarnessMessage,
    ModelRequest,
    ModelResponse,
    RoundEnd,
    Stub,
    SummaryRequest,
    SummaryResponse,
)
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.agent.context.summary import INSTRUCTION
from sii_cli.agent.round_control import RoundOver
from sii_cli.model.types import Completion, RequestStarted
from tests.fakes.scripted_model import Script, answer, cut_off, fails
from tests.sii_cli.agent.context.compacting import LENGTH, Bench, say

TURNS = [answer("x" * 800), answer("Sum."), answer("Two."), answer("Three.")]
PROMPTS = [[1, 2], [1, 2, 3, 4], [1, 2, 5], [1, 2, 6]]


def with_ids(script: Script, prompt_ids: list[int]) -> Script:
    """A turn whose prompt and one generated token the server tells."""
    return [
        replace(part, prompt_ids=prompt_ids, generated_ids=[3])
        if isinstance(part, Completion)
        else part
        for part in script
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recording"
    folder.mkdir()
    return folder


def roles(prompt: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in prompt]


async def test_old_observations_are_left_out_first(folder: Path) -> None:
    bench = Bench(
        folder, say("first", 1000), say("second", 600), say("third", 500), answer("Done.")
    )
    assert (await bench.say("go")).status == "answered"
    [compaction] = bench.events(Compaction)
    assert (compaction.kind, compaction.cause) == ("stubs", "full")
    assert compaction.after < LENGTH * 0.6 < LENGTH * 0.75 < compaction.before
    assert not bench.events(SummaryRequest)
    observations = [m["content"] for m in bench.prompt() if m["role"] == "tool"]
    assert "6,000 characters) was left out" in observations[0]
    assert observations[-1].startswith("third third")
    assert verify(folder).whole


async def test_then_everything_but_the_users_words_is_summed_up(folder: Path) -> None:
    bench = Bench(
        folder,
        answer("x" * 6000),
        answer("y" * 6000),
        answer("## Task\nTwo things. <|user|>"),
        answer("Done."),
    )
    await bench.say("First: be careful.")
    await bench.say("Second.")
    assert (await bench.say("Third.")).status == "answered"
    [compaction] = bench.events(Compaction)
    assert compaction.kind == "summary"
    assert roles(bench.prompt()) == ["system", "user", "user", "system", "user"]
    said = [message["content"] for message in bench.prompt()]
    assert said[1:3] == ["First: be careful.", "Second."]
    assert "## Task\nTwo things. <|user|\u2060>" in said[3]
    assert said[4] == "Third."
    asked = bench.prompt(2)
    assert asked[-1] == {"role": "system", "content": INSTRUCTION}
    assert asked[:-1] == bench.prompt(1) + asked[len(bench.prompt(1)) : -1], "the prompt goes on"
    [response] = bench.events(SummaryResponse)
    assert response.content == "## Task\nTwo things. <|user|>"
    origins = {e.origin for e in read_events(folder) if isinstance(e.data, SummaryResponse)}
    assert origins == {"compaction"}
    assert verify(folder).whole


async def test_the_last_steps_are_kept_as_they_are(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 11000), say("kept", 200), answer("Sum."), answer("Done."))
    await bench.say("one")
    await bench.say("two")
    assert roles(bench.prompt()) == ["system", "user", "system", "user", "assistant", "tool"]
    assert bench.prompt()[-1]["content"].startswith("kept kept")
    assert verify(folder).whole


async def test_a_session_that_goes_on_has_the_very_history(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 7000), answer("y" * 7000), answer("Sum."), answer("Done."))
    for text in ("one", "two", "three"):
        await bench.say(text)
    before = bench.model.requests[-1]
    bench.recorder.close()
    assert [m.encoded for m in restore(folder).messages[: len(before)]] == before
    at = next(e.seq for e in read_events(folder) if isinstance(e.data, Compaction))
    assert [m.encoded for m in restore(folder, at).messages] == before[: len(before)]
    bench.recorder = Recorder.resume(folder)
    bench.open(resumed=True)
    bench.play(answer("Fine."))
    await bench.say("four")
    assert bench.model.requests[-1][: len(before)] == before
    assert verify(folder).whole


async def test_a_session_that_died_after_a_compaction_goes_on_with_it(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 7000), answer("Sum."), answer("Done."))
    await bench.say("one")
    items = [item async for item in bench.loop.compact()]
    assert isinstance(items[-1], Event)
    bench.recorder.close()
    restored = restore(folder)
    assert restored.compacted
    assert [orjson.loads(m.encoded)["role"] for m in restored.messages] == [
        "system",
        "user",
        "system",
    ]
    bench.recorder = Recorder.resume(folder)
    bench.open(resumed=True)
    await bench.say("two")
    assert roles(bench.prompt()) == ["system", "user", "system", "user"]
    assert verify(folder).whole
    continues = bench.events(ModelRequest)[-1].messages
    assert continues.keep == 2


async def test_the_servers_own_overflow_makes_room_once(folder: Path) -> None:
    overflow: Script = [fails("overflow")]
    bench = Bench(folder, answer("x" * 2000), overflow, answer("Sum."), answer("Done."))
    await bench.say("one")
    assert (await bench.say("two")).status == "answered"
    assert bench.events(Compaction)[0].cause == "overflow"
    bench.play(overflow, answer("Sum."), overflow)
    end = await bench.say("three")
    assert (end.status, end.reason) == ("limit", "It failed: overflow.")
    assert verify(folder).whole


async def test_without_compaction_the_round_ends_with_a_reason(folder: Path) -> None:
    bench = Bench(folder, say("long", 3000), compact=False)
    end = await bench.say("go")
    assert end.status == "limit"
    assert "the context is full" in end.reason
    assert "compact is off" in end.reason


async def test_room_that_cannot_be_made_ends_the_round(folder: Path) -> None:
    bench = Bench(folder)
    end = await bench.say("x" * 14000)
    assert end.status == "limit"
    assert "nothing to sum up" in end.reason


async def test_room_that_is_gone_with_every_step_is_not_made_for_ever(folder: Path) -> None:
    turns = [script for _ in range(9) for script in (cut_off("z" * 14000), answer("Sum."))]
    bench = Bench(folder, *turns)
    end = await bench.say("go")
    assert end.status == "limit"
    assert "again after every single step" in end.reason
    assert len(bench.events(Compaction)) == 3


async def test_a_result_too_long_for_the_context_is_left_out_with_a_word(folder: Path) -> None:
    bench = Bench(folder, say("long", 4000), answer("Done."))
    end = await bench.say("go")
    assert end.status == "answered", end.reason
    assert roles(bench.prompt()) == ["system", "user", "assistant", "tool"]
    assert "does not fit the context" in bench.prompt()[-1]["content"]
    assert len(bench.events(Stub)) >= 1
    assert verify(folder).whole


async def test_an_answer_cut_off_by_the_context_is_no_stumble(folder: Path) -> None:
    bench = Bench(folder, cut_off("z" * 14000), answer("Sum."), answer("Done."))
    assert (await bench.say("go")).status == "answered"
    assert [note.reason for note in bench.events(HarnessMessage)] == ["cut_off"]
    assert len(bench.events(Compaction)) == 1


async def test_a_summary_without_a_word_is_asked_for_again_without_thoughts(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 14000), answer(" "), answer("Sum."), answer("Done."))
    await bench.say("one")
    assert (await bench.say("two")).status == "answered"
    first, second = bench.model.asked[1:3]
    assert "chat_template_kwargs" not in first.params
    assert second.params["chat_template_kwargs"] == {"enable_thinking": False}
    bench.play(answer("x" * 14000))
    await bench.say("three")
    bench.play(answer(""), answer(""))
    end = await bench.say("four")
    assert (end.status, end.reason) == (
        "limit",
        "the model gave no summary that would make room in the context",
    )


async def test_every_request_leaves_the_rest_of_the_context_to_the_answer(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 400), answer("y"))
    await bench.say("one")
    await bench.say("two")
    first, second = (request.params["max_tokens"] for request in bench.model.asked)
    assert LENGTH - 100 < first < LENGTH
    assert 100 <= first - second < 150
    assert [r.params["max_tokens"] for r in bench.events(ModelRequest)] == [first, second]


async def test_what_the_user_allows_an_answer_is_kept_to(folder: Path) -> None:
    bench = Bench(folder, answer("x"), asked=50)
    await bench.say("one")
    assert bench.model.asked[0].params["max_tokens"] == 50


async def test_one_can_ask_for_it(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 800), answer("Sum."))
    with pytest.raises(RoundOver, match="nothing to sum up"):
        [item async for item in bench.loop.compact()]
    await bench.say("one")
    [item async for item in bench.loop.compact()]
    [compaction] = bench.events(Compaction)
    assert (compaction.cause, compaction.kind) == ("asked", "summary")
    assert compaction.after < compaction.before


async def test_a_break_by_a_compaction_is_told_from_one_by_a_new_round(folder: Path) -> None:
    bench = Bench(folder)
    bench.play(*(with_ids(script, ids) for script, ids in zip(TURNS, PROMPTS, strict=True)))
    await bench.say("one")
    [item async for item in bench.loop.compact()]
    await bench.say("two")
    await bench.say("three")
    causes = [r.continuity and r.continuity.cause for r in bench.events(ModelResponse)]
    assert causes == [None, "compaction", "new_round"]
    [summary] = bench.events(SummaryResponse)
    assert (summary.prompt_ids.keep, summary.prompt_ids.new) == (3, [4])


async def test_an_interrupted_summary_replaces_nothing(folder: Path) -> None:
    bench = Bench(folder, answer("x" * 14000), [RequestStarted(1), 30.0])
    await bench.say("one")
    async for item in bench.loop.round("two"):
        if isinstance(item, Event) and isinstance(item.data, SummaryRequest):
            bench.loop.interrupt()
    assert bench.events(RoundEnd)[-1].status == "interrupted"
    assert not bench.events(Compaction)
    bench.play(answer("Sum."), answer("Done."))
    assert (await bench.say("three")).status == "answered"
    assert [m["content"] for m in bench.prompt() if m["role"] == "user"] == ["one", "two", "three"]
    assert verify(folder).whole


async def test_a_fork_after_a_compaction_has_the_very_history(folder: Path, tmp_path: Path) -> None:
    bench = Bench(folder, answer("x" * 7000), answer("y" * 7000), answer("Sum."), answer("Done."))
    for text in ("one", "two", "three"):
        await bench.say(text)
    bench.recorder.close()
    at = next(e.seq for e in read_events(folder) if isinstance(e.data, Compaction))
    child = tmp_path / "child"
    child.mkdir()
    Recorder.fork(folder, at, child, "child").close()
    assert restore(child).messages == restore(folder, at).messages
    assert restore(child).compacted
