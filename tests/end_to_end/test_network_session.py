"""A session whose sandbox may reach one host: what was asked of the network is in its recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.events import NetworkRequest, Observation, SandboxStart
from recordings.storage.log import read_events
from recordings.verify import verify
from sandbox.protocol import SandboxBackend
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.sandbox.conftest import IMAGE, backend
from tests.sandbox.network.test_network import on_this_machine

__all__ = ["backend"]


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with fake_site() as site:
        site.pages["/"] = Answer(b"hello\n", "text/plain")
        yield site


async def test_a_recording_tells_every_request_allowed_and_refused(
    backend: SandboxBackend, site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaching = on_this_machine(backend)
    monkeypatch.setattr(session_module, "make_backend", lambda _settings: reaching)
    (tmp_path / "workspace").mkdir()
    settings = Settings(
        home=tmp_path / "home",
        workspace=tmp_path / "workspace",
        image=IMAGE,
        allow_net=(f"site.test:{site.port}",),
    )
    url = f"http://site.test:{site.port}/"
    command = f"curl -sS {url}; curl -sS https://secret.test/token?key=hunter2"
    model = ScriptedModel(calls(("bash", json.dumps({"command": command}))), answer("Done."))
    session = await Session.open(settings, mode="headless", model=model)
    async for _ in session.send("go"):
        pass
    await session.close()
    assert session.folder is not None
    assert verify(session.folder).whole
    events = [event.data for event in read_events(session.folder)]
    (start,) = [data for data in events if isinstance(data, SandboxStart)]
    allowed, refused = [data for data in events if isinstance(data, NetworkRequest)]
    (observation,) = [data for data in events if isinstance(data, Observation)]
    assert start.network == [f"site.test:{site.port}"]
    assert (allowed.host, allowed.method, allowed.status) == ("site.test", "GET", 200)
    assert (allowed.sandbox_id, allowed.received) == (start.sandbox_id, 6)
    assert (refused.host, refused.port, refused.method) == ("secret.test", 443, "CONNECT")
    assert (refused.allowed, refused.reason) == (False, "not_allowed")
    assert "hello" in observation.text
    requests = [line for line in (session.folder / "events.jsonl").read_bytes().splitlines()
                if b'"network_request"' in line]  # fmt: skip
    assert not any(b"hunter2" in line for line in requests)
