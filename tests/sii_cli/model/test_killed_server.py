"""A real vLLM killed again and again while sessions run: nothing lost, doubled or half-made.

Four sessions at a time meet each kill wherever they are: twelve moments for three ways to die.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest

from recordings.events import (
    ModelError,
    ModelRequest,
    ModelResponse,
    Observation,
    RoundEnd,
    SessionStart,
)
from recordings.recorder import Recorder
from recordings.storage.encoding import encode
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.agent.loop import AgentLoop
from sii_cli.model.retry import Waits
from sii_cli.model.types import STREAMING
from sii_cli.model.vllm import VllmModel
from tests.sii_cli.model.test_continuity import rebuild
from tests.tiny_glm.build import ensure_model, trained_conversations
from tests.tiny_glm.server import TinyGlmServer, free_port, serve
from tools.base import Emit, ToolResult

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

SESSIONS = 4
Kill = Literal["engine", "kill", "term"]
RETRIES = 200
"""A busy machine takes long to end a dying server, which answers with errors until then."""
WAITS = Waits(first=0.2, longest=1.0, away=600.0)


class Life:
    """A server that can be killed, and started again where it was."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "vllm.log"
        self._model = ensure_model("glm47")
        self._port = free_port()
        self._context: AbstractContextManager[TinyGlmServer] | None = None
        self._server: TinyGlmServer | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        self._context = serve(self._model, "glm47", self._log, port=self._port)
        self._server = self._context.__enter__()

    def end(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None

    def kill(self, how: Kill) -> None:
        assert self._server is not None
        name = b"VLLM::EngineCore" if how == "engine" else b"vllm.entrypoints.cli.main"
        number = signal.SIGTERM if how == "term" else signal.SIGKILL
        pids = [pid for pid in members(self._server.group) if name in command_line(pid)]
        assert pids, f"no process of the server is a {name!r}"
        for pid in pids:
            os.kill(pid, number)


def members(group: int) -> list[int]:
    """The processes of a group whose commands are programs, not the shell that guards them."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and not command_line(int(path.name)).startswith(b"bash"):
            found.append(int(path.name))
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Replies:
    """Tools that return what they returned when the model was trained, call after call."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._texts = iter([m["content"] for m in messages if m["role"] == "tool"])
        self.ran: list[tuple[str, Any]] = []

    def parallel(self, name: str) -> bool:
        return False

    def may_change(self, name: str, arguments: str) -> bool:
        return not self.parallel(name)

    def parse(self, arguments: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(arguments)
        return parsed

    async def call(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        self.ran.append((name, json.loads(arguments)))
        return ToolResult(next(self._texts))


class Talker:
    """Holds one session after another with the same client."""

    def __init__(self, folder: Path, model: VllmModel, conversations: list[Any], seed: int) -> None:
        self._folder = folder
        self._model = model
        self._conversations = conversations
        self._random = random.Random(seed)
        self.ended = 0
        """Sessions that came to their end."""
        self.failures: list[str] = []
        """Kinds of the attempts that failed."""

    async def talk(self) -> None:
        while True:
            conversation = self._random.choice(self._conversations)
            folder = self._folder / str(self.ended)
            folder.mkdir(parents=True)
            replies = Replies(conversation["messages"])
            await self._session(folder, conversation, replies)
            await asyncio.to_thread(self._check, folder, conversation, replies)
            self.ended += 1

    async def _session(self, folder: Path, conversation: Any, replies: Replies) -> None:
        recorder = Recorder.create(folder, "20261123-204950-a3f9c2")
        messages = conversation["messages"]
        kwargs = {"chat_template_kwargs": conversation["template_kwargs"]}
        loop = AgentLoop(
            model=self._model,
            toolbox=replies,  # type: ignore[arg-type]
            tools=encode(conversation["tools"]),
            recorder=recorder,
            params={"model": "glm", **STREAMING, "temperature": 0, "max_tokens": 500, **kwargs},
        )
        start = SessionStart(
            sii_version="0",
            mode="headless",
            workspace="/",
            model="glm",
            base_url="-",
            system_prompt=messages[0]["content"],
            tools=conversation["tools"],
            tools_sha256="-",
        )
        loop.note(start, "harness")
        for message in messages:
            if message["role"] == "user":
                async for _ in loop.round(message["content"]):
                    pass
        recorder.close()

    def _check(self, folder: Path, conversation: Any, replies: Replies) -> None:
        """Hold the recording against what the model was trained to say: exactly that, once."""
        events = [event.data for event in read_events(folder)]
        said = [data for data in events if isinstance(data, ModelResponse)]
        spoken = [m for m in conversation["messages"] if m["role"] == "assistant"]
        failed = [data for data in events if isinstance(data, ModelError)]
        troubles = [(data.kind, data.status, data.retry_in, data.message) for data in failed]
        assert [data.step for data in said] == list(range(1, len(spoken) + 1)), troubles
        assert [(data.content or "").strip() for data in said] == [m["content"] for m in spoken]
        assert all(data.complete and not data.flags for data in said)
        calls = [call["function"] for m in spoken for call in m.get("tool_calls", [])]
        assert replies.ran == [(call["name"], json.loads(call["arguments"])) for call in calls]
        seen = [data.text for data in events if isinstance(data, Observation)]
        assert seen == [m["content"] for m in conversation["messages"] if m["role"] == "tool"]
        rounds = [data.status for data in events if isinstance(data, RoundEnd)]
        assert set(rounds) == {"answered"}
        assert len(rebuild(said)) == len(spoken)
        assert verify(folder).whole
        asked = [data for data in events if isinstance(data, ModelRequest)]
        assert len(asked) == len(said) + len(failed), "every attempt has one outcome"
        assert all(data.retry_in is not None and data.message for data in failed)
        self.failures += [data.kind for data in failed]


async def until_all_went_on(talkers: list[Talker], running: list[asyncio.Task[None]]) -> None:
    """Wait until everyone has ended the session of now, and one more."""
    wanted = [talker.ended + 2 for talker in talkers]
    while any(talker.ended < count for talker, count in zip(talkers, wanted, strict=True)):
        for task in running:
            if task.done():
                await task
        await asyncio.sleep(0.05)


async def test_sessions_go_on_whenever_and_however_the_server_is_killed(
    tiny_glm_server: TinyGlmServer, tmp_path: Path
) -> None:
    life = await asyncio.to_thread(Life, tmp_path)
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    moments = random.Random(seed)
    conversations = trained_conversations(tiny_glm_server.folder)
    models: list[VllmModel] = []
    running: list[asyncio.Task[None]] = []
    try:
        await asyncio.to_thread(life.start)
        kills: list[Kill] = ["engine", "kill", "term"]
        talkers = []
        for number in range(SESSIONS):
            model = VllmModel(
                base_url=life.base_url,
                waits=WAITS,
                idle_timeout=10.0,
                retries=RETRIES,
            )
            models.append(model)
            await model.describe()
            talkers.append(Talker(tmp_path / str(number), model, conversations, seed + number))
        running = [asyncio.create_task(talker.talk()) for talker in talkers]
        for how in kills:
            met = sum(bool(talker.failures) for talker in talkers)
            await asyncio.sleep(moments.uniform(0.5, 3.0))
            await asyncio.to_thread(life.kill, how)
            await asyncio.sleep(moments.uniform(0.0, 2.0))
            await asyncio.to_thread(life.end)
            await asyncio.to_thread(life.start)
            await until_all_went_on(talkers, running)
            assert all(talker.failures for talker in talkers), (how, met)
            for talker in talkers:
                talker.failures.clear()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for model in models:
            await model.aclose()
        await asyncio.to_thread(life.end)
