"""`/open`: an app of the sandbox is shown to the human until the session ends; it is recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recordings.events import PreviewOpened
from recordings.storage.log import read_events
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.session import sandboxed_session
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.session.test_human_command import everything
from tests.sii_cli.web.test_preview import Browser, echo


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(
        home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",), speaker="ada"
    )


async def test_a_port_is_shown_recorded_and_closed_with_the_session(settings: Settings) -> None:
    app = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = app.sockets[0].getsockname()[1]
    model = ScriptedModel(answer("Served."), answer("Yes."))
    session = await Session.open(settings, mode="headless", model=model)
    with pytest.raises(UsageError, match="Nothing runs in the sandbox yet"):
        await session.open_port(port)
    await everything(session.send("Serve it."))
    await session.sandbox()
    browser = Browser(await session.open_port(port))
    await browser.open_link()
    assert b"GET /page HTTP/1.1" in await browser.ask("GET", "/page")
    assert Browser(await session.open_port(port)).host == browser.host
    await everything(session.send("Did it work?"))
    assert b"preview" not in b"".join(b"".join(one) for one in model.requests)
    folder = session.folder
    await session.close()
    app.close()
    with pytest.raises(ConnectionRefusedError):
        await browser.connect()
    assert folder is not None
    opened = [e for e in read_events(folder) if isinstance(e.data, PreviewOpened)]
    assert [(e.origin, e.data) for e in opened] == [
        ("human", PreviewOpened(port=port, speaker="ada"))
    ] * 2


async def test_so_many_ports_are_shown_at_a_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxed_session, "MOST_PREVIEWS", 2)
    model = ScriptedModel(answer("Served."))
    session = await Session.open(settings, mode="headless", model=model)
    await everything(session.send("Serve it."))
    for port in (8000, 8001, 8000):
        await session.open_port(port)
    with pytest.raises(UsageError, match=r"^2 ports are shown already: 8000, 8001\.$"):
        await session.open_port(8002)
    await session.close()
