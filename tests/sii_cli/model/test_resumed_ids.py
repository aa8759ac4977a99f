"""Going on after a kill at any event: the ids still join, and a break is named for what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recordings.events import ModelResponse
from recordings.storage.log import LOG, read_events
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.script import Scripted, Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.test_continuity import rebuild
from tests.sii_cli.scripted_sii import FakeBackend

LOOK = Turn(reasoning="I look.", calls=[("todo", {"todos": []})])
ANSWER = Turn(reasoning="Seen.", content="Two files.")
SCRIPT: list[Scripted] = [LOOK, ANSWER, LOOK, ANSWER]


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sii_cli.session.session.make_backend", lambda settings: FakeBackend())


async def talk(
    place: Path, server: ScriptedServer, *texts: str, resumed: Path | None = None
) -> Path:
    """Hold a session; return the recording's folder."""
    settings = Settings(home=place, workspace=place, base_url=server.base_url, tools=("todo",))
    session = await Session.open(
        settings, mode="headless", resumed=ResumedRecording(resumed) if resumed else None
    )
    try:
        for text in texts:
            async for _ in session.send(text):
                pass
    finally:
        await session.close()
    assert session.folder is not None
    return session.folder


async def test_after_a_kill_at_any_event_breaks_are_the_new_rounds(tmp_path: Path) -> None:
    async with ScriptedServer(SCRIPT) as server:
        whole = await talk(tmp_path, server, "Look.", "Again.")
    lines = (whole / LOG).read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        folder = whole.with_name(f"{whole.name[:-6]}{kept:06x}")
        shutil.copytree(whole, folder)
        (folder / LOG).write_bytes(b"".join(lines[:kept]) + lines[kept][:9])
        async with ScriptedServer([LOOK, ANSWER]) as server:
            await talk(tmp_path, server, "Go on.", resumed=folder)
            prompts = [request.prompt_ids for request in server.requests]
        check(folder, prompts)
        shutil.rmtree(folder)


def check(folder: Path, prompts: list[list[int]]) -> None:
    found = [e.data for e in read_events(folder) if isinstance(e.data, ModelResponse)]
    assert rebuild(found)[-2:] == prompts, "the recorded ids are what the server read"
    last_two = [response.continuity for response in found[-2:]]
    assert last_two[0] is not None
    assert last_two[1] is not None
    assert last_two[0].cause in (None, "new_round")
    assert last_two[1].kind == "extension"
    assert verify(folder).whole
