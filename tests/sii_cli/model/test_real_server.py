"""The model layer against a real vLLM: what the scripted server cannot prove."""

from __future__ import annotations

import asyncio
import re
import urllib.request

import pytest

from recordings.storage.encoding import encode
from sii_cli.doctor.server import Probe
from sii_cli.model.types import STREAMING, ChatRequest, Completion, Delta, RequestFailed
from sii_cli.model.vllm import VllmModel
from tests.tiny_glm.server import TinyGlmServer

pytestmark = pytest.mark.vllm

LONG = {"role": "user", "content": "Count from one to a hundred."}


def request(max_tokens: int, **params: object) -> ChatRequest:
    fields = {"model": "glm", **STREAMING, "max_tokens": max_tokens, **params}
    return ChatRequest("sii-real", [encode(LONG)], None, fields)


async def call(model: VllmModel, asked: ChatRequest) -> Completion:
    async for part in model.stream(asked):
        assert not isinstance(part, RequestFailed), part
        if isinstance(part, Completion):
            return part
    raise AssertionError("no completion")


def metric(server: TinyGlmServer, name: str) -> float:
    """What the server tells of itself by a name."""
    url = server.base_url.removesuffix("/v1") + "/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found = re.search(rf"^vllm:{name}\{{.*\}} (\S+)", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return float(found.group(1))


async def test_the_doctor_finds_the_server_fit(tiny_glm_server: TinyGlmServer) -> None:
    probe = Probe(tiny_glm_server.base_url, None, None)
    checks = {check.name: check async for check in probe.checks()}
    await probe.aclose()
    # What the tiny model makes of requests that it never saw is not the server's doing.
    for name in (
        "server",
        "version",
        "token ids",
        "usage",
        "prefix cache",
        "long argument",
        "overflow",
    ):
        assert checks[name].status == "ok", checks[name]


async def test_prompt_ids_are_what_the_server_tokenises(tiny_glm_server: TinyGlmServer) -> None:
    model = VllmModel(base_url=tiny_glm_server.base_url)
    done = await call(model, request(8))
    body = {"model": "glm", "messages": [LONG]}
    assert done.prompt_ids == await model._endpoints.current.tokenize(body)
    assert done.generated_ids is not None
    assert len(done.generated_ids) == 8
    assert (done.finish_reason, done.complete) == ("length", False)
    await model.aclose()


async def test_a_seed_gives_the_same_ids_again(tiny_glm_server: TinyGlmServer) -> None:
    model = VllmModel(base_url=tiny_glm_server.base_url)
    asked = request(16, seed=7, temperature=1.0)
    first, second = await call(model, asked), await call(model, asked)
    assert first.generated_ids == second.generated_ids
    await model.aclose()


async def test_leaving_ends_the_work_on_the_server(tiny_glm_server: TinyGlmServer) -> None:
    # On two cores the engine now and then starves the part of the server that hears of a leaving
    # until all is generated; were the work not ended, it would be so each time.
    made = [await made_after_leaving(tiny_glm_server, 3000) for _ in range(3)]
    assert min(made) < 3000, made


async def made_after_leaving(server: TinyGlmServer, tokens: int) -> float:
    """Ask for so many tokens, leave at the first; return how many were generated."""
    before = await asyncio.to_thread(metric, server, "generation_tokens_total")
    model = VllmModel(base_url=server.base_url)
    parts = model.stream(request(tokens, ignore_eos=True))
    async for part in parts:
        if isinstance(part, Delta):
            break
    await parts.aclose()
    async with asyncio.timeout(60):
        while await asyncio.to_thread(metric, server, "num_requests_running"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await model.aclose()
    return await asyncio.to_thread(metric, server, "generation_tokens_total") - before
