"""Counting, max_tokens and a compaction against a real vLLM, whose word is the last."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.conversation.restore import restore
from recordings.events import Compaction, ModelRequest, ModelResponse, SummaryResponse
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from tests.sii_cli.scripted_sii import FakeBackend
from tests.tiny_glm.conversations import COUNTING, SYSTEM_PROMPT, TOOLS
from tests.tiny_glm.server import TinyGlmServer

TEXTS = [
    "def add(a, b):\n    return a + b\n",
    "héllo → 世界 🌍 <|user|>1234567</think>/nothink",
    "\r\n\t  \n" * 30,
]

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


@pytest.fixture
def settings(
    tiny_glm_server: TinyGlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: FakeBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(
        base_url=tiny_glm_server.base_url,
        home=tmp_path / "home",
        workspace=tmp_path / "workspace",
        system_prompt=SYSTEM_PROMPT,
        tools=TOOLS,
        temperature=0.0,
        tokenizer=Path(tiny_glm_server.folder),
    )


def ask(server: TinyGlmServer, body: dict[str, Any]) -> list[int]:
    """The ids of a prompt, as the server's `/tokenize` renders it."""
    request = urllib.request.Request(
        server.base_url.removesuffix("/v1") + "/tokenize",
        json.dumps({"model": server.model, **body}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return list(json.loads(response.read())["tokens"])


async def test_a_session_is_summed_up_and_goes_on_with_what_is_recorded(
    settings: Settings, tiny_glm_server: TinyGlmServer
) -> None:
    session = await Session.open(settings, mode="headless")
    try:
        async for _ in session.send(COUNTING.rounds[0].user):
            pass
        assert session.context is not None
        assert session.context.context.counted_by.endswith("tokenizer.json")
        for text in TEXTS:
            counted = await session.context.context.counter.count(text)
            told = ask(tiny_glm_server, {"prompt": text, "add_special_tokens": False})
            assert counted == len(told)
        async for _ in session.compact():
            pass
        async for _ in session.send("Count again."):
            pass
    finally:
        await session.close()
    assert session.folder is not None
    events = [event.data for event in read_events(session.folder)]
    [summary] = [data for data in events if isinstance(data, SummaryResponse) and data.summary]
    assert summary.usage is not None
    assert summary.prompt_ids is not None
    assert len(summary.generated_ids or []) == summary.usage.completion_tokens
    [compaction] = [data for data in events if isinstance(data, Compaction)]
    after = next(
        data for data in events[events.index(compaction) :] if isinstance(data, ModelResponse)
    )
    assert after.continuity is not None
    assert (after.continuity.kind, after.continuity.cause) == ("break", "compaction")
    at = next(
        e.seq
        for e in read_events(session.folder)
        if isinstance(e.data, ModelRequest) and e.seq > events.index(compaction)
    )
    messages = [orjson.loads(m.encoded) for m in restore(session.folder, at).messages]
    start = restore(session.folder).start
    ids = ask(tiny_glm_server, {"messages": messages, "tools": start.tools})
    assert after.usage is not None
    assert len(ids) == after.usage.prompt_tokens
    assert verify(session.folder).whole
    for prompt in (data for data in events if isinstance(data, ModelRequest)):
        assert 0 < prompt.params["max_tokens"] < 4096
