"""Sessions with a served tiny GLM without a sandbox: its calls return what they did in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import message_of
from recordings.events import Event, EventData, ModelRequest, ModelResponse, SessionStart
from recordings.recorder import Recorder
from recordings.storage.encoding import encode
from recordings.storage.log import read_events
from sii_cli.agent.loop import AgentLoop
from sii_cli.model.ids.choose import choose_wire
from sii_cli.model.vllm import VllmModel
from sii_cli.session.request_params import request_params
from sii_cli.session.wire import open_wire
from tests.tiny_glm.server import TinyGlmServer
from tools.base import Emit, ToolResult


class Recited:
    """Tools that return what they returned when the model was trained."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        calls = [call["function"] for m in messages for call in m.get("tool_calls", [])]
        texts = [m["content"] for m in messages if m["role"] == "tool"]
        self._texts = {
            _key(call["name"], call["arguments"]): text
            for call, text in zip(calls, texts, strict=True)
        }

    def parallel(self, name: str) -> bool:
        return False

    def may_change(self, name: str, arguments: str) -> bool:
        return not self.parallel(name)

    def parse(self, arguments: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(arguments)
        return parsed

    async def call(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        return ToolResult(self._texts.get(_key(name, arguments), "ok"))


async def hold(
    server: TinyGlmServer,
    folder: Path,
    conversation: dict[str, Any],
    tasks: list[str],
    settings: Any,
) -> list[Event]:
    """Hold a session of these tasks with the conversation's prompt and tools; the recording."""
    model = VllmModel(base_url=server.base_url)
    served = await model.describe()
    params, tools = request_params(settings, served), conversation["tools"]
    kwargs = params.get("chat_template_kwargs", {})
    served = await choose_wire(settings, served, model, kwargs)
    wire = await open_wire(served, model, params, conversation["messages"][0]["content"], tools)
    recorder = Recorder.create(folder, "20261123-204950-a3f9c2")
    loop = AgentLoop(
        model=model,
        toolbox=Recited(conversation["messages"]),  # type: ignore[arg-type]
        tools=encode(conversation["tools"]),
        recorder=recorder,
        params=params,
        prompts=wire.prompts,
    )
    start = SessionStart(
        sii_version="0",
        mode="headless",
        workspace="/",
        model=served.name,
        base_url=served.base_url,
        system_prompt=conversation["messages"][0]["content"],
        tools=conversation["tools"],
        tools_sha256="-",
        wire=wire.info,
    )
    loop.note(start, "harness")
    for task in tasks:
        async for _ in loop.round(task):
            pass
    await model.aclose()
    recorder.close()
    return list(read_events(folder))


def rebuilt(events: list[Event]) -> list[tuple[ModelRequest, list[Any], list[int], ModelResponse]]:
    """Every model call of a recording: the request, its messages, its prompt ids, the response."""
    by_seq: dict[int, EventData] = {event.seq: event.data for event in events}
    messages: list[Any] = []
    trail, found = IdTrail(), []
    for event in events:
        match event.data:
            case ModelRequest(messages=span) as request:
                messages = messages[: span.keep] + [message_of(by_seq[seq]) for seq in span.new]
            case ModelResponse() as response:
                assert response.prompt_ids is not None
                prompt = trail.expand(response.prompt_ids)
                found.append((request, list(messages), prompt, response))
                trail.advance(prompt, response.generated_ids or [])
    return found


def told_by(server: TinyGlmServer, tools: Any, request: ModelRequest, messages: list[Any]) -> Any:
    """The prompt's ids as the server's own `/tokenize` says.

    It knows reasoning by its newer name alone (seen on vLLM 0.32).
    """
    named = [m | {"reasoning": m.get("reasoning_content")} for m in messages]
    body = {"model": server.model, "messages": named, "tools": tools}
    kwargs = request.params.get("chat_template_kwargs")
    body |= {"chat_template_kwargs": kwargs} if kwargs else {}
    url = server.base_url.removesuffix("/v1") + "/tokenize"
    return httpx.post(url, json=body, timeout=60).json()["tokens"]


def _key(name: str, arguments: str) -> str:
    return json.dumps([name, json.loads(arguments)], sort_keys=True)
