"""One session from Python: what a program imports, and how it runs a round."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sii_cli.session
from recordings.events import Event, ModelResponse, Observation, RoundEnd, SessionStart
from recordings.storage.log import read_events
from sii_cli.errors import UsageError
from sii_cli.session import Settings, open_session
from tests.fakes.greetings import Greetings
from tests.fakes.script import Turn
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.terminal import clean_environment


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SII_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_these_names_are_for_programs() -> None:
    assert sii_cli.session.__all__ == [
        "Item",
        "Permit",
        "ResumedRecording",
        "Session",
        "Settings",
        "load_settings",
        "open_session",
    ]
    for name in sii_cli.session.__all__:
        assert getattr(sii_cli.session, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sii_cli.session.nothing  # noqa: B018


def test_importing_the_package_alone_imports_nothing_slow() -> None:
    code = "import sys, sii_cli.session; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    assert not {"pydantic", "aiohttp", "asyncio"} & set(done.stdout.split())


async def test_a_program_runs_a_round_against_a_server(workspace: Path) -> None:
    async with ScriptedServer([Turn("Two files.")]) as server:
        values = {"base_url": server.base_url, "sandbox": "bubblewrap", "tools": "todo"}
        async with open_session(workspace=str(workspace), **values) as session:
            items = [item async for item in session.send("How many files are there?")]
    said = [item.data for item in items if isinstance(item, Event)]
    assert [one.content for one in said if isinstance(one, ModelResponse)] == ["Two files."]
    assert session.folder is not None
    ends = [e.data for e in read_events(session.folder) if isinstance(e.data, RoundEnd)]
    assert [end.status for end in ends] == ["answered"]


async def test_settings_may_be_made_by_the_program(workspace: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "other", workspace=workspace, sandbox="bubblewrap")
    async with open_session(settings, model=ScriptedModel(answer("Hi."))) as session:
        async for _ in session.send("Hello."):
            pass
    assert session.folder is not None
    assert session.folder.is_relative_to(tmp_path / "other")


async def test_the_tools_of_another_source_are_recorded_and_called(
    workspace: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, workspace=workspace, sandbox="bubblewrap", tools=("todo",))
    model = ScriptedModel(calls(("greet", "{}")), answer("Done."))
    async with open_session(settings, model=model, sources=[Greetings()]) as session:
        items = [item async for item in session.send("Greet.")]
    said = [item.data for item in items if isinstance(item, Event)]
    (start,) = (one for one in said if isinstance(one, SessionStart))
    assert [tool["function"]["name"] for tool in start.tools] == ["todo", "greet"]
    assert [one.text for one in said if isinstance(one, Observation)] == ["Hello."]


async def test_a_wrong_setting_is_refused_with_a_sentence(workspace: Path) -> None:
    with pytest.raises(UsageError, match="--max-steps: wants a whole number"):
        async with open_session(workspace=str(workspace), max_steps="many"):
            pass
