"""Several equal servers: where a session goes, where it stays, and when it moves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from recordings.events import ModelRequest, ModelResponse
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from sii_cli.agent.loop import AgentLoop
from sii_cli.model import endpoints
from sii_cli.model.endpoints import read_load
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import STREAMING, RequestStarted
from sii_cli.model.vllm import VllmModel
from tests.fakes.script import BreakAfter, EngineDies, HttpError, Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import SHORT, completion_of, failures_of, parts_of
from tests.sii_cli.model.test_continuity import Toolbox

HELLO = Turn(reasoning="Hm.", content="Hello.")
LOOK = Turn(reasoning="I look.", calls=[("bash", {"command": "ls"})])


@pytest.fixture(autouse=True)
def _nothing_placed() -> None:
    endpoints._placed.clear()


@asynccontextmanager
async def servers(*scripts: list[Any], **settings: Any) -> AsyncIterator[list[ScriptedServer]]:
    async with AsyncExitStack() as stack:
        fakes = [ScriptedServer(script, **settings) for script in scripts]
        for fake in fakes:
            await stack.enter_async_context(fake)
        yield fakes


@asynccontextmanager
async def client(fakes: list[ScriptedServer], **settings: Any) -> AsyncIterator[VllmModel]:
    base_url = ",".join(fake.base_url for fake in fakes)
    model = VllmModel(base_url=base_url, **{"waits": SHORT, **settings})
    try:
        yield model
    finally:
        await model.aclose()


async def placed(model: VllmModel) -> str:
    return (await model.describe()).base_url


async def test_a_session_goes_to_the_least_busy_server() -> None:
    async with servers([], [], []) as fakes, client(fakes) as model:
        fakes[0].busy_with, fakes[1].busy_with, fakes[2].busy_with = 5, 2, 9
        assert await placed(model) == fakes[1].base_url


async def test_of_equally_busy_servers_the_one_with_the_emptier_cache_is_taken() -> None:
    async with servers([], []) as fakes, client(fakes) as model:
        fakes[0].cache_used, fakes[1].cache_used = 0.8, 0.1
        assert await placed(model) == fakes[1].base_url


async def test_sessions_that_start_together_are_spread_evenly() -> None:
    async with servers([], [], []) as fakes, AsyncExitStack() as stack:
        models = [await stack.enter_async_context(client(fakes)) for _ in range(30)]
        where = Counter(await asyncio.gather(*map(placed, models)))
    assert sorted(where.values()) == [10, 10, 10]


async def test_a_session_keeps_to_its_server_however_busy_it_becomes() -> None:
    async with servers([HELLO] * 3, [HELLO] * 3) as fakes, client(fakes) as model:
        fakes[1].busy_with = 1
        await model.describe()
        fakes[0].busy_with = 50
        for _ in range(3):
            completion_of(await parts_of(model))
        assert [len(fake.requests) for fake in fakes] == [3, 0]


async def test_a_session_moves_when_its_server_is_gone_and_the_answer_is_whole() -> None:
    async with servers([HELLO], [HELLO]) as fakes, client(fakes) as model:
        fakes[1].busy_with = 1
        await model.describe()
        await fakes[0].stop()
        parts = await parts_of(model)
        assert completion_of(parts).content == "Hello."
        (failed,) = failures_of(parts)
        assert (failed.failure.kind, failed.retry_in) == ("connect", 0.0)
        assert f"moves to {fakes[1].base_url}" in str(failed.failure)
        asked = [part.base_url for part in parts if isinstance(part, RequestStarted)]
        assert asked == [fake.base_url for fake in fakes]
        await fakes[0].start()


@pytest.mark.parametrize(
    ("faults", "tries"),
    [
        ([EngineDies(HELLO, 2)], 1),
        ([HttpError(503)], 1),
        ([HttpError(500), HttpError(500)], 2),
        ([BreakAfter(HELLO, 2), BreakAfter(HELLO, 2)], 2),
    ],
)
async def test_a_server_that_fails_is_left_at_once_or_after_the_second_time(
    faults: list[Any], tries: int
) -> None:
    async with servers([*faults, HELLO], [HELLO]) as fakes, client(fakes) as model:
        fakes[1].busy_with = 1
        await model.describe()
        completion_of(await parts_of(model))
        assert [len(fake.requests) for fake in fakes] == [tries, 1]


async def test_one_failure_between_answers_moves_nothing() -> None:
    script = [HttpError(500), HELLO, HttpError(500), HELLO]
    async with servers(script, [HELLO]) as fakes, client(fakes) as model:
        fakes[1].busy_with = 1
        await model.describe()
        for _ in range(2):
            completion_of(await parts_of(model))
        assert [len(fake.requests) for fake in fakes] == [4, 0]


async def test_servers_that_all_fail_end_the_call_instead_of_a_dance() -> None:
    dying = [EngineDies(HELLO, 1)] * 50
    async with servers(dying, dying) as fakes, client(fakes, retries=5) as model:
        await model.describe()
        failed = failures_of(await parts_of(model))
        assert failed[-1].retry_in is None
        assert sum(len(fake.requests) for fake in fakes) == 6


async def test_a_server_that_comes_back_is_moved_to() -> None:
    async with servers([HELLO], [HELLO]) as fakes, client(fakes) as model:
        await fakes[1].stop()
        served = await model.describe()
        assert served.base_url == fakes[0].base_url
        assert "not used for now" in served.notes[0]
        await fakes[0].stop()
        await fakes[1].start()
        assert completion_of(await parts_of(model)).content == "Hello."
        await fakes[0].start()


async def test_a_server_of_another_model_or_length_is_left_out_with_a_sentence() -> None:
    async with (
        ScriptedServer(model="glm") as right,
        ScriptedServer(model="qwen") as other,
        ScriptedServer(model="glm", context_length=4096) as short,
        client([right, other, short]) as model,
    ):
        right.busy_with = 99
        served = await model.describe()
        assert served.base_url == right.base_url
        assert served.notes == (
            f"{other.base_url} is left out: it serves qwen, not glm.",
            f"{short.base_url} is left out: it holds 4096 tokens, {right.base_url} 131072.",
        )
        assert served.details["left_out"] == list(served.notes)


async def test_a_session_never_moves_to_another_model() -> None:
    async with (
        ScriptedServer([HttpError(503)] * 9, model="glm") as right,
        ScriptedServer([HELLO], model="qwen") as other,
        client([right, other], retries=3) as model,
    ):
        await model.describe()
        failures_of(await parts_of(model))
        assert other.requests == []


async def test_no_server_at_all_is_said_in_one_sentence() -> None:
    async with servers([], []) as fakes:
        urls = list(fakes)
    async with client(urls) as model:
        with pytest.raises(
            ModelCallFailed, match="None of 2 servers can be used: No server answers"
        ):
            await model.describe()


async def test_the_recording_says_who_was_asked(tmp_path: Path) -> None:
    async with servers([LOOK], [HELLO]) as fakes, client(fakes) as model:
        fakes[1].busy_with = 1
        await model.describe()
        recorder = Recorder.create(tmp_path, "20261123-204950-a3f9c2")
        loop = AgentLoop(
            model=model,
            toolbox=Toolbox(),  # type: ignore[arg-type]
            tools=b"[]",
            recorder=recorder,
            params={"model": "glm", **STREAMING},
        )
        async for item in loop.round("Look."):
            if getattr(item, "type", "") == "observation":
                await fakes[0].stop()
        recorder.close()
        events = [event.data for event in read_events(tmp_path)]
        asked = [data.base_url for data in events if isinstance(data, ModelRequest)]
        assert asked == [fakes[0].base_url, fakes[0].base_url, fakes[1].base_url]
        kinds = [data.continuity for data in events if isinstance(data, ModelResponse)]
        assert [kind and kind.kind for kind in kinds] == ["first", "extension"]
        await fakes[0].start()


def test_load_is_read_over_all_engines_and_nonsense_is_no_load() -> None:
    metrics = (
        "# TYPE vllm:num_requests_running gauge\n"
        'vllm:num_requests_running{engine="0",model_name="glm"} 3.0\n'
        'vllm:num_requests_running{engine="1",model_name="glm"} 4.0\n'
        'vllm:num_requests_waiting{engine="0",model_name="glm"} 2.0\n'
        'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 2.0\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.25\n'
        'vllm:kv_cache_usage_perc{engine="1"} 0.5\n'
    )
    load = read_load(metrics)
    assert (load.requests, load.cache) == (9.0, 0.5)
    assert read_load("vllm:num_requests_running lots\n<html>").requests == 0.0
