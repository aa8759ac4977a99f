"""Undo in a real sandbox: what comes back belongs to whom the commands run as."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.events import Event, Observation
from recordings.storage.log import read_events
from sandbox.protocol import SandboxUnavailable
from sii_cli.config.settings import Settings
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.workspace.test_workspace_snapshots import bash, snapshots

pytestmark = pytest.mark.docker


async def test_what_comes_back_can_be_worked_on(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    if os.geteuid() == 0:
        os.chown(workspace, 1000, 1000)
    model = ScriptedModel(
        bash("mkdir -m 700 d && umask 077 && echo one > d/f && ln -s d/f link && git init -q repo"),
        bash("rm -rf d link repo"),
        answer("Gone."),
        bash("echo two >> d/f && cat link && git -C repo status --short --branch && id -u"),
        answer("Back."),
    )
    settings = Settings(home=tmp_path / "home", workspace=workspace, tools=("bash",))
    session = await Session.open(settings, mode="headless", model=model)
    try:
        await session.sandbox()
    except SandboxUnavailable as error:
        await session.close()
        pytest.skip(str(error))
    await say(session, "first")
    assert os.listdir(workspace) == []
    await session.undoing.undo(2)
    await say(session, "second")
    await session.close()
    events: list[Event] = list(read_events(session.folder or Path()))
    last = [event.data for event in events if isinstance(event.data, Observation)][-1]
    assert last.exit_code == 0, last.text
    assert last.text.splitlines()[:2] == ["one", "two"]
    assert (workspace / "d").stat().st_mode & 0o777 == 0o700
    changed = {change.path: change.added for change in snapshots(events)[-1].changes}
    assert changed["d/f"] == 1


async def say(session: Session, text: str) -> None:
    async for _ in session.send(text):
        pass
