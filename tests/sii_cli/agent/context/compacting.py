"""A loop with a small context, for tests of what happens when it is full."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from recordings.conversation.messages import encode_message
from recordings.conversation.restore import restore
from recordings.events import Event, RoundEnd
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from sii_cli.agent.context.budget import ContextBudget
from sii_cli.agent.context.compaction import ModelContext
from sii_cli.agent.context.summary import INSTRUCTION
from sii_cli.agent.loop import AgentLoop
from sii_cli.model.types import ChatRequest, Completion
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls
from tests.recordings.recording_sessions import session_start
from tools.base import Emit, ToolResult

LENGTH = 4000
ASKED = encode_message({"role": "system", "content": INSTRUCTION})


class WordCounter:
    """Four characters are a token."""

    exact = True

    async def count(self, text: str) -> int:
        return len(text) // 4


class Say:
    """A toolbox whose one tool returns as much text as it is asked for."""

    schemas_json = b"[]"

    def parallel(self, name: str) -> bool:
        return False

    def may_change(self, name: str, arguments: str) -> bool:
        return not self.parallel(name)

    def parse(self, arguments: str) -> dict[str, Any]:
        return dict(orjson.loads(arguments))

    async def call(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        asked = self.parse(arguments)
        return ToolResult(f"{asked['word']} " * asked["times"])


class Watching(ScriptedModel):
    """Keeps the whole requests."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__(*scripts)
        self.asked: list[ChatRequest] = []
        self.summary = ""
        """What it says when it is asked for a summary; empty: what its script says."""

    def stream(self, request: ChatRequest) -> Any:
        self.asked.append(request)
        if self.summary and request.messages[-1] == ASKED:
            self.scripts.insert(0, without_usage(answer(self.summary)))
        return super().stream(request)


class Bench:
    def __init__(
        self, folder: Path, *scripts: Script, asked: int | None = None, compact: bool = True
    ) -> None:
        self.folder = folder
        self.model = Watching()
        self.play(*scripts)
        self.recorder = Recorder.create(folder, "test")
        self.open(compact=compact, asked=asked)
        self.loop.note(session_start(system_prompt="You are sii."), "harness")

    def open(
        self, *, compact: bool = True, asked: int | None = None, resumed: bool = False
    ) -> None:
        self.loop = AgentLoop(
            model=self.model,
            toolbox=Say(),  # type: ignore[arg-type]
            tools=b"[]",
            recorder=self.recorder,
            params={"model": "scripted"},
            context=ModelContext(ContextBudget(LENGTH, asked), WordCounter(), "words", compact),
            restored=restore(self.folder) if resumed else None,
        )

    def play(self, *scripts: Script) -> None:
        """Let the model say this next."""
        self.model.scripts = [without_usage(script) for script in scripts]

    async def say(self, text: str) -> RoundEnd:
        items = [item async for item in self.loop.round(text)]
        assert isinstance(items[-1], Event)
        assert isinstance(items[-1].data, RoundEnd)
        return items[-1].data

    def events(self, *types: type) -> list[Any]:
        everything = [event.data for event in read_events(self.folder)]
        return [data for data in everything if isinstance(data, types or (object,))]

    def prompt(self, number: int = -1) -> list[dict[str, Any]]:
        return [orjson.loads(message) for message in self.model.requests[number]]


def without_usage(script: Script) -> Script:
    """So that the counter's word stands."""
    return [replace(part, usage=None) if isinstance(part, Completion) else part for part in script]


def say(word: str, times: int) -> Script:
    return calls(("say", json.dumps({"word": word, "times": times})))
