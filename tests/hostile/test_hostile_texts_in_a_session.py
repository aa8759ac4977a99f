"""Texts that stood the loop still for minutes, each once through a session: the loop goes on."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Observation, RoundEnd
from recordings.storage.log import read_events
from sandbox.protocol import Sandbox, SandboxSpec
from sii_cli.config.settings import Settings
from sii_cli.model.types import Delta, RequestStarted
from sii_cli.render.live import LiveRenderer
from sii_cli.session.session import Session
from tests.fakes.fake_sandbox import FakeSandbox, new_root
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls

pytestmark = pytest.mark.hostile

STALL = 0.3
"""Seconds of CPU that the loop may be held at a time."""
DIGITS = "9" * 5_000
NUMBERS = [*range(60_000), 59_999]


def call(tool: str, **arguments: Any) -> Script:
    return calls((tool, json.dumps(arguments)))


def edit(old: str, new: str) -> Script:
    return call("edit_file", path="a.txt", edits=[{"old": old, "new": new}])


MANY = "[" + "1," * 1_000_000 + "1]"
FLOOD = ("bash", '{"command":"true"}')


ATTACKS: dict[str, list[Script]] = {
    "a token's beginning": [call("bash", command="yes eyJ | head -100000 | tr -d '\\n'")],
    "equal lines": [
        call("write_file", path="a.txt", content="x\n" * 1900 + "y\n"),
        call("write_file", path="a.txt", content="z\n" + "x\n" * 1899 + "w\nx\n"),
    ],
    "mixed newlines": [
        call("write_file", path="a.txt", content="a\r\n" + "\n" * 100_000),
        edit("\n" * 4_000 + "b", "c"),
    ],
    "sequences that do not end": [answer("\x9d" * 200_000)],
    "a carriage return and a long line": [answer("a\rb" + "a" * 200_000)],
    "a call without an end": [answer("<tool_call>a" + "<arg_key>" * 20_000)],
    "repeated names": [calls(("bash", "{" + ",".join(f'"{i}":1' for i in NUMBERS) + "}"))],
    "a number of 5,000 digits": [calls(("bash", f'{{"command": "true", "timeout": {DIGITS}}}'))],
    "a million values": [calls(("bash", f'{{"a": {MANY}}}'))],
    "many wrong values": [call("edit_file", path="a", edits=[{"old": 1, "bad": 2}] * 100_000)],
    "many names": [call("bash", **{f"k{i}": 1 for i in range(150_000)})],
    "a command of one long line": [call("bash", command="\x01" * 300_000)],
    "a command of many lines": [call("bash", command=":\n" * 300_000)],
    "code of many lines": [call("python", code="a = 1\n" * 3_000)],
    "a long list": [call("todo", todos=[{"content": "漢" * 50, "status": "done"}] * 1_500)],
    "a long answer in one piece": [answer("**a** `b` [c](d)\n" * 30_000)],
    "headings in one piece": [answer("# a\n" * 5_000)],
    "items in one piece": [answer("- a\n" * 5_000)],
    "links in one piece": [answer("[c](d) " * 5_000)],
    "long code in one piece": [answer("```python\n" + "def a(): return f'{x}'\n" * 6_000)],
    "a long table in one piece": [answer("|a|b|\n|-|-|\n" + "|a|b|\n" * 20_000)],
    "wide characters in one piece": [answer("漢" * 500_000)],
    "a long thought in one piece": [
        [RequestStarted(1), Delta("reasoning", "漢" * 500_000), *answer("")]
    ],
    "deep arguments": [calls(("bash", '{"command":' * 5_000))],
}


class Backend:
    name = "fake"

    def __init__(self, root: Path) -> None:
        self._root = root

    async def start(self, spec: SandboxSpec) -> Sandbox:
        return FakeSandbox(new_root(self._root))


@pytest.fixture(autouse=True)
def _own_objects() -> Iterator[None]:
    """Keep the collector off what the test run itself holds: a session has none of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.bomb
@pytest.mark.parametrize("name", ATTACKS)
async def test_the_loop_goes_on(name: str, tmp_path: Path) -> None:
    scripts = [*ATTACKS[name], answer("Done.")]
    settings = Settings(home=tmp_path / "home", workspace=tmp_path)
    session = await Session.open(
        settings, mode="headless", model=ScriptedModel(*scripts), backend=Backend(tmp_path)
    )
    renderer = LiveRenderer()
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            longest = max(longest, time.thread_time() - before)

    beating = asyncio.create_task(beat())
    try:
        async with aclosing(session.send("Go.")) as items:
            async for item in items:
                renderer.feed(item)
    finally:
        beating.cancel()
        await session.close()
    assert longest < STALL
    assert session.folder is not None
    data = [event.data for event in read_events(session.folder)]
    assert [one.status for one in data if isinstance(one, RoundEnd)] == ["answered"]
    assert not [one for one in data if isinstance(one, Observation) and one.error == "fault"]
