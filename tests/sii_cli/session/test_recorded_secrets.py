"""Secrets that a call prints: kept out of the recording, and the model reads what is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Observation
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.scripted_sii import FakeBackend, bash

TOKEN = "ghp_" + "a1B2" * 9
PRINTED = f"echo token {TOKEN} and password=x9Kq2mZ7wPb4"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: FakeBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",))


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, "token ‹redacted:GITHUB_TOKEN› and password=x9Kq2mZ7wPb4"),
        ({"redact": "known"}, f"token {TOKEN} and password=x9Kq2mZ7wPb4"),
        ({"redact": "names"}, "token ‹redacted:GITHUB_TOKEN› and password=‹redacted:PASSWORD›"),
        ({"redact_whole": True}, "‹redacted:GITHUB_TOKEN›"),
    ],
)
async def test_the_model_reads_what_is_recorded(
    settings: Settings, changes: dict[str, Any], kept: str
) -> None:
    model = ScriptedModel(bash(PRINTED), answer("Seen."))
    settings = replace(settings, **changes)
    session = await Session.open(settings, mode="headless", model=model)
    async for _ in session.send("Look."):
        pass
    await session.close()

    assert session.folder is not None
    (observation,) = (
        event.data for event in read_events(session.folder) if isinstance(event.data, Observation)
    )
    assert observation.text.strip() == kept
    assert kept.encode() in b"".join(model.requests[-1])
    assert verify(session.folder).whole
    on_disk = [path.read_bytes() for path in session.folder.rglob("*") if path.is_file()]
    assert any(TOKEN.encode() in content for content in on_disk) == (TOKEN in kept)
