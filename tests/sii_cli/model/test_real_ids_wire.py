"""The ids wire on a real vLLM, for both forms of GLM, on a server with default flags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.logprobs import read_logprobs
from recordings.events import Event, ModelResponse, SessionStart
from recordings.samples.build import samples_of
from recordings.samples.sample import Sample
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.model.ids.choose import choose_wire
from sii_cli.model.ids.prove import render_front
from sii_cli.model.types import STREAMING, ChatRequest, RequestFailed
from sii_cli.model.vllm import VllmModel
from tests.tiny_glm.build import ensure_model, trained_conversations
from tests.tiny_glm.server import Form, TinyGlmServer, serve
from tests.tiny_glm.talking import hold, rebuilt

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

FORMS: tuple[Form, ...] = ("glm45", "glm47")


@pytest.fixture(scope="module", params=FORMS)
def server(
    request: pytest.FixtureRequest,
    tiny_glm_server: TinyGlmServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TinyGlmServer]:
    """Calls are forced into GLM-4.7's form, as vLLM does by default."""
    if request.param == tiny_glm_server.form:
        yield tiny_glm_server
        return
    log = tmp_path_factory.mktemp("ids") / "vllm.log"
    with serve(ensure_model(request.param), request.param, log) as running:
        yield running


def settings_of(server: TinyGlmServer, conversation: dict[str, Any], **values: Any) -> Settings:
    thinking = conversation["template_kwargs"].get("enable_thinking")
    about: dict[str, Any] = {"wire": "ids", "tokenizer": Path(server.folder)}
    about |= {"temperature": 0, "max_tokens": 500, "max_steps": 8, "enable_thinking": thinking}
    return Settings(**(about | values))


async def held(
    server: TinyGlmServer, folder: Path, conversation: dict[str, Any], **values: Any
) -> list[Event]:
    tasks = [one["content"] for one in conversation["messages"] if one["role"] == "user"]
    settings = settings_of(server, conversation, **values)
    return await hold(server, new_folder(folder), conversation, tasks, settings)


def new_folder(path: Path) -> Path:
    path.mkdir()
    return path


def trained(conversation: dict[str, Any]) -> list[Any]:
    return [
        (
            message.get("reasoning_content") or "",
            message["content"],
            [
                (call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in message.get("tool_calls", [])
            ],
        )
        for message in conversation["messages"]
        if message["role"] == "assistant"
    ]


def said(response: ModelResponse) -> Any:
    calls = [(call.name, json.loads(call.arguments)) for call in response.calls]
    return (response.reasoning or "").strip(), (response.content or "").strip(), calls


async def test_every_trained_turn_is_generated_and_every_prompt_is_what_was_sent(
    server: TinyGlmServer, tmp_path: Path
) -> None:
    for conversation in trained_conversations(server.folder):
        folder = tmp_path / conversation["name"]
        events = await held(server, folder, conversation)
        [start] = [e.data for e in events if isinstance(e.data, SessionStart)]
        assert start.wire is not None
        assert start.wire.kind == "ids"
        calls = rebuilt(events)
        assert [said(response) for *_, response in calls] == trained(conversation)
        before: list[int] = []
        for request, _, prompt, response in calls:
            assert request.wire == "ids"
            assert response.flags == [], "the server read what was sent, and counted it alike"
            assert response.continuity is not None
            if response.continuity.cause is None:
                assert prompt[: len(before)] == before
            before = prompt + (response.generated_ids or [])
        causes = {response.continuity.cause for *_, response in calls if response.continuity}
        assert causes <= {None, "new_round"}
        assert verify(folder).whole
        assert any(isinstance(one, Sample) for one in samples_of(folder))


async def test_both_wires_send_the_same_ids_where_nothing_drifts(
    tiny_glm_server: TinyGlmServer, tmp_path: Path
) -> None:
    for conversation in trained_conversations(tiny_glm_server.folder):
        by_wire = [
            [
                (prompt, response.generated_ids)
                for _, _, prompt, response in rebuilt(
                    await held(
                        tiny_glm_server,
                        tmp_path / f"{conversation['name']}-{wire}",
                        conversation,
                        wire=wire,
                    )
                )
            ]
            for wire in ("ids", "messages")
        ]
        assert by_wire[0] == by_wire[1], conversation["name"]


@pytest.mark.parametrize("wire", ["ids", "messages"])
async def test_each_generated_id_has_a_log_probability(
    tiny_glm_server: TinyGlmServer, tmp_path: Path, wire: str
) -> None:
    conversation = trained_conversations(tiny_glm_server.folder)[0]
    asked = {"wire": wire, "record_logprobs": True}
    events = await held(tiny_glm_server, tmp_path / wire, conversation, **asked)
    for _, _, _, response in rebuilt(events):
        assert response.flags == []
        assert response.logprobs is not None
        values = read_logprobs(tmp_path / wire, response.logprobs)
        assert len(values) == len(response.generated_ids or [])
        assert all(-2 < one <= 0 for one in values), "the model knows this conversation by heart"
    assert verify(tmp_path / wire).whole


async def test_another_tokenizer_is_found_before_anything_is_sent(
    server: TinyGlmServer, tmp_path: Path
) -> None:
    parsed = json.loads((Path(server.folder) / "tokenizer.json").read_text())
    parsed["model"]["merges"] = parsed["model"]["merges"][:-500]
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed))
    model = VllmModel(base_url=server.base_url)
    settings = Settings(wire="auto", tokenizer=tmp_path)
    served = await choose_wire(settings, await model.describe(), model, {})
    assert served.wire is None
    assert "is not the tokenizer of the served model" in served.why_messages
    await model.aclose()


async def test_an_id_that_the_model_does_not_have_fails_the_request(server: TinyGlmServer) -> None:
    model = VllmModel(base_url=server.base_url, retries=0)
    settings = Settings(wire="ids", tokenizer=Path(server.folder))
    served = await choose_wire(settings, await model.describe(), model, {})
    assert served.wire is not None
    front = await render_front(model.render, served.name, "S", [], {})
    assert front is not None
    prompt = served.wire.prompts([*front, 9_999_999], []).prompt([], {})
    params = {"model": served.name, **STREAMING, "max_tokens": 8}
    asked = ChatRequest("sii-unknown-id", [], None, params, prompt)
    *_, last = [part async for part in model.stream(asked)]
    assert isinstance(last, RequestFailed)
    await model.aclose()
