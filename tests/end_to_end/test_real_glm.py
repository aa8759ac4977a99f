"""The main job with nothing faked: a real GLM on a real vLLM, a real sandbox, a real terminal."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import message_of
from recordings.events import (
    Event,
    EventData,
    ModelRequest,
    ModelResponse,
    Observation,
    SessionStart,
    ToolCall,
)
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from tests.sii_cli.terminal import Terminal, clean_environment
from tests.tiny_glm.conversations import BUGFIX, COMPUTE, COUNTING, SYSTEM_PROMPT, TOOLS, UNICODE
from tests.tiny_glm.observe import make_workspace
from tests.tiny_glm.server import TinyGlmServer

pytestmark = [pytest.mark.docker, pytest.mark.vllm, pytest.mark.slow]

SII = [sys.executable, "-m", "sii_cli.main"]


@dataclass(frozen=True)
class Place:
    """Where a session runs, and against what."""

    server: TinyGlmServer
    home: Path
    workspace: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "SII_BASE_URL": self.server.base_url,
            "SII_HOME": str(self.home),
            "SII_TOOLS": ",".join(TOOLS),
            "SII_SYSTEM_PROMPT": str(SYSTEM_PROMPT),
            "SII_TEMPERATURE": "0",
        }

    def run(self, *arguments: str) -> str:
        """Run `sii` without a terminal; return what it prints."""
        done = subprocess.run(
            [*SII, *arguments],
            cwd=self.workspace,
            env=clean_environment() | self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def recording(self) -> list[Event]:
        """The events of the last session."""
        return list(read_events(RecordingStore(self.home / "recordings").resolve("last")))

    def ask(self, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the server itself."""
        request = urllib.request.Request(
            self.server.base_url.removesuffix("/v1") + endpoint,
            json.dumps({"model": self.server.model} | body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@dataclass(frozen=True)
class ModelCall:
    """One model call, rebuilt from the recording alone."""

    messages: list[dict[str, Any]]
    prompt_ids: list[int]
    extends: bool
    """The prompt begins with all that was read and written before."""
    response: ModelResponse


def model_calls(events: list[Event]) -> Iterator[ModelCall]:
    """Rebuild every model call of a recording."""
    by_seq: dict[int, EventData] = {event.seq: event.data for event in events}
    messages: list[dict[str, Any]] = []
    trail = IdTrail()
    for event in events:
        match event.data:
            case ModelRequest(messages=span):
                messages = messages[: span.keep]
                messages += [message_of(by_seq[seq]) or {} for seq in span.new]
            case ModelResponse(prompt_ids=ids, generated_ids=generated) as response:
                assert ids is not None
                assert generated is not None
                prompt = trail.expand(ids)
                yield ModelCall(list(messages), prompt, ids.keep == len(trail), response)
                trail.advance(prompt, generated)


def as_tokenize_takes_it(message: dict[str, Any]) -> dict[str, Any]:
    """vLLM's `/tokenize` knows reasoning by its newer name alone (seen on 0.32)."""
    return message | {"reasoning": message.get("reasoning_content")}


def check_exact(place: Place, events: list[Event]) -> list[ModelCall]:
    """Check that every id on record is what the server says it read and wrote."""
    [start] = [event.data for event in events if isinstance(event.data, SessionStart)]
    calls = list(model_calls(events))
    for call in calls:
        response = call.response
        messages = [as_tokenize_takes_it(message) for message in call.messages]
        told = place.ask("/tokenize", {"messages": messages, "tools": start.tools})
        assert call.prompt_ids == told["tokens"]
        assert response.flags == []
        assert response.usage is not None
        assert response.generated_ids is not None
        assert len(response.generated_ids) == response.usage.completion_tokens
        assert response.generated_ids[-1] == response.stop_reason
        text = place.ask("/detokenize", {"tokens": response.generated_ids})["prompt"]
        for said in (response.reasoning, response.content):
            assert (said or "").strip() in text
        for wanted in response.calls:
            for value in json.loads(wanted.arguments).values():
                assert (value if isinstance(value, str) else json.dumps(value)) in text
    return calls


@pytest.fixture
def place(tiny_glm_server: TinyGlmServer, tmp_path: Path) -> Place:
    workspace = make_workspace(BUGFIX, tmp_path / "workspace")
    return Place(tiny_glm_server, tmp_path / "home", workspace)


def test_a_task_typed_at_the_prompt_is_done_and_recorded_exactly(place: Place) -> None:
    first, second = BUGFIX.rounds
    terminal = Terminal(SII, cwd=place.workspace, env=place.env, rows=50)
    terminal.wait_for("›")
    terminal.send(first.user + "\r")
    terminal.wait_for("The test prints ok now.", patience=60)
    terminal.send(second.user + "\r")
    terminal.wait_for("A minus sign in add.", patience=60)
    terminal.send("/exit\r")
    assert terminal.exit_code() == 0

    assert (place.workspace / "calc.py").read_text() == "def add(a, b):\n    return a + b\n"
    assert (place.workspace / "calc.py").stat().st_uid == place.workspace.stat().st_uid

    events = place.recording()
    calls = check_exact(place, events)
    assert len(calls) == 6
    said = [(call.response.content or "").strip() for call in calls]
    steps = [step for round_ in BUGFIX.rounds for step in round_.steps]
    assert said == [step.content for step in steps]
    assert [call.extends for call in calls[1:5]] == [True] * 4, "a tool loop is one sample"

    asked = [event.data for event in events if isinstance(event.data, ToolCall)]
    seen = [event.data for event in events if isinstance(event.data, Observation)]
    assert [data.name for data in asked] == [name for step in steps for name, _ in step.calls]
    ended_at = {data.call_id: data for data in seen}  # calls side by side end in any order
    assert len(seen) == len(asked)
    assert [ended_at[data.call_id].name for data in asked] == [data.name for data in asked]
    told = [message["tool_call_id"] for message in calls[-1].messages if message["role"] == "tool"]
    assert told == [data.call_id for data in asked], "the model reads them in the order it asked"
    assert "add(2, 3) is -1, not 5" in seen[0].text
    assert seen[-1].text.strip() == "ok"

    replay = place.run("replay", "last", "--speed", "1000")
    assert "add(2, 3) is -1, not 5" in replay
    assert "A minus sign in" in replay


@pytest.mark.parametrize("conversation", [UNICODE, COMPUTE, COUNTING], ids=lambda c: c.name)
def test_headless_sessions_are_exact(
    tiny_glm_server: TinyGlmServer, tmp_path: Path, conversation: Any
) -> None:
    workspace = make_workspace(conversation, tmp_path / "workspace")
    place = Place(tiny_glm_server, tmp_path / "home", workspace)
    [only] = conversation.rounds
    answer = json.loads(place.run("-p", only.user, "--output-format", "json"))
    assert (answer["status"], answer["steps"]) == ("answered", len(only.steps))
    assert answer["answer"].strip() == only.steps[-1].content
    check_exact(place, place.recording())
