"""A human's own command runs in the session's shell, is recorded, told, and run again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Event, HarnessMessage, HumanCommand, Snapshot
from recordings.storage.log import read_events
from sii_cli.config.settings import Settings
from sii_cli.prompt.slash import shell_command
from sii_cli.reexecution.recorded import Group, recorded_calls
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.reexecution.running_again import run_again
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.shell import Shell
from tests.sii_cli.workspace.test_workspace_snapshots import bash


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(
        home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",), speaker="ada"
    )


async def everything(items: AsyncGenerator[Any, None]) -> list[Event]:
    return [item async for item in items if isinstance(item, Event)]


async def test_a_command_is_recorded_with_what_it_changed_and_told(settings: Settings) -> None:
    model = ScriptedModel(answer("Seen."))
    session = await Session.open(settings, mode="headless", model=model)
    shown = await everything(session.run_command("echo hi; echo 1 > made", told=True))
    ran = next(one.data for one in shown if isinstance(one.data, HumanCommand))
    assert (ran.text, ran.exit_code, ran.told, ran.speaker) == ("hi", 0, True, "ada")
    await everything(session.send("go on"))
    folder = session.folder
    await session.close()
    assert folder is not None
    events = list(read_events(folder))
    causes = [
        (e.data.cause, [c.path for c in e.data.changes])
        for e in events
        if isinstance(e.data, Snapshot)
    ]
    assert ("command", ["made"]) in causes
    (note,) = [e for e in events if isinstance(e.data, HarnessMessage)]
    assert note.origin == "harness"
    assert b"$ echo hi; echo 1 > made" in b"".join(model.requests[0])


async def test_two_marks_keep_it_from_the_model(settings: Settings) -> None:
    model = ScriptedModel(answer("."))
    session = await Session.open(settings, mode="headless", model=model)
    await everything(session.run_command("echo quiet", told=False))
    await everything(session.send("go on"))
    await session.close()
    assert b"quiet" not in b"".join(model.requests[0])


async def test_it_shares_the_shell_and_is_run_again(settings: Settings, tmp_path: Path) -> None:
    model = ScriptedModel(bash("echo $name > b; cat a b"), answer("Done."))
    session = await Session.open(settings, mode="headless", model=model)
    await everything(session.run_command("name=ada; echo 1 > a", told=False))
    await everything(session.send("go on"))
    folder = session.folder
    await session.close()
    assert folder is not None
    groups = [one for one in recorded_calls(read_events(folder)) if isinstance(one, Group)]
    assert "name=ada" in groups[0].calls[0].call.arguments
    reports = await run_again(folder, tmp_path)
    assert [report.outcome for report in reports] == ["identical", "identical"]


async def test_one_that_is_interrupted_is_recorded(settings: Settings) -> None:
    session = await Session.open(settings, mode="headless", model=ScriptedModel(answer(".")))
    await everything(session.send("first"))
    running = session.run_command("sleep 30", told=True)
    reading = asyncio.create_task(everything(running))
    await asyncio.sleep(0.5)
    session.interrupt()
    await asyncio.wait_for(reading, 10)
    await session.close()
    assert session.folder is not None
    (ran,) = [e.data for e in read_events(session.folder) if isinstance(e.data, HumanCommand)]
    assert ran.error == "interrupted"


def test_the_prompt_shows_what_it_wrote(shell: Shell) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    terminal.send("!seq 1 2\r")
    terminal.wait_for("! seq 1 2")
    terminal.wait_for("│ 2")
    terminal.send("one\r")
    terminal.wait_for("First.")
    assert "note to the model" not in terminal.everything()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("!ls -l", ("ls -l", True)),
        ("!! ls\n\ncat a ", ("ls\n\ncat a", False)),
        ("! !x", ("!x", True)),
        *(("!", None), ("!!  ", None), ("ls", None), ("", None), (" !ls", None)),
    ],
)
def test_a_line_that_begins_with_a_mark_is_a_command(
    line: str, command: tuple[str, bool] | None
) -> None:
    assert shell_command(line) == command
