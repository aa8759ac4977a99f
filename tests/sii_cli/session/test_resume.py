"""Resuming a recorded session after its end, and after it died at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.events import (
    ModelResponse,
    Observation,
    RoundEnd,
    SessionResume,
    SessionStart,
    ToolCall,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import LOG, read_events
from recordings.store.summary import has_open_round
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls
from tests.recordings.data_of import data_of
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import clean_environment


def bash(command: str) -> Script:
    return calls(("bash", json.dumps({"command": command})))


async def talk(
    place: Path, model: ScriptedModel, *texts: str | None, resumed: Path | None = None
) -> Path:
    """Hold a session of these messages (`None`: the open round); return the recording's folder."""
    workspace = place / "workspace"
    workspace.mkdir(exist_ok=True)
    settings = Settings(home=place / "home", workspace=workspace, tools=("bash", "todo"))
    session = await Session.open(
        settings,
        mode="headless",
        model=model,
        resumed=ResumedRecording(resumed) if resumed else None,
    )
    try:
        for text in texts:
            async for _ in session.send(text) if text is not None else session.resume_round():
                pass
    finally:
        await session.close()
    assert session.folder is not None
    return session.folder


def said(model: ScriptedModel) -> list[dict[str, Any]]:
    """The messages of the last request."""
    return [orjson.loads(message) for message in model.requests[-1]]


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sii_cli.session.session.make_backend", lambda settings: FakeBackend())


def cut_after(folder: Path, kind: type) -> None:
    """Make a recording end as a kill leaves it: after the first event of a kind, a torn line."""
    lines = (folder / LOG).read_bytes().splitlines(keepends=True)
    events = list(read_events(folder))
    end = next(event.seq for event in events if isinstance(event.data, kind)) + 1
    (folder / LOG).write_bytes(b"".join(lines[:end]) + lines[end][:20])


async def test_the_model_sees_the_very_history_it_saw(tmp_path: Path) -> None:
    before = ScriptedModel(bash("echo one"), answer("First."), answer("Second."))
    folder = await talk(tmp_path, before, "a", "b")
    after = ScriptedModel(answer("Third."))
    assert await talk(tmp_path, after, "c", resumed=folder) == folder
    assert after.requests[-1][: len(before.requests[-1])] == before.requests[-1]
    before_note, note, last = said(after)[-3:]
    assert (before_note["content"], last["content"]) == ("Second.", "c")
    assert (note["role"], "a new one has taken its place" in note["content"]) == ("system", True)
    assert verify(folder).whole
    [resume] = [e.data for e in read_events(folder) if isinstance(e.data, SessionResume)]
    assert resume.lost == "nothing"


async def test_a_call_under_way_at_the_kill_is_marked_and_not_run_again(tmp_path: Path) -> None:
    first = bash("echo ran >> ran.txt")
    folder = await talk(tmp_path, ScriptedModel(first, answer("Done.")), "a")
    cut_after(folder, ToolCall)
    after = ScriptedModel(answer("I look first."))
    await talk(tmp_path, after, "go on", resumed=folder)
    roles = [message["role"] for message in said(after)]
    assert roles == ["system", "user", "assistant", "tool", "system", "user"]
    assert "died while this call ran" in said(after)[3]["content"]
    events = [event.data for event in read_events(folder)]
    [lost] = [data for data in events if isinstance(data, Observation)]
    assert lost.error == "lost"
    assert [data.status for data in events if isinstance(data, RoundEnd)] == [
        "interrupted",
        "answered",
    ]
    assert verify(folder).whole


async def test_tools_stay_as_the_model_was_told_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await talk(tmp_path, ScriptedModel(answer("First.")), "a")
    [start] = data_of(read_events(folder), SessionStart)
    monkeypatch.setattr("tools.bash.Bash.description", "Another description.")
    sent: list[bytes | None] = []

    class Watching(ScriptedModel):
        def stream(self, request: Any) -> Any:
            sent.append(request.tools)
            return super().stream(request)

    await talk(tmp_path, Watching(answer("Second.")), "b", resumed=folder)
    assert [orjson.loads(tools or b"") for tools in sent] == [start.tools]


def test_the_command_line_goes_on_with_a_recording(tmp_path: Path) -> None:
    env = clean_environment() | {"SII_HOME": str(tmp_path / "home")}
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def run(script: str, *arguments: str, cwd: Path = workspace) -> Any:
        argv = [sys.executable, "-m", "tests.sii_cli.scripted_sii", script, *arguments]
        argv += ["--output-format", "json"]
        done = subprocess.run(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        return orjson.loads(done.stdout)

    first = run("hello", "-p", "a")
    second = run("hello", "-c", "-p", "b", cwd=tmp_path)
    third = run("hello", "run", "--resume", first["session"][:18], "c", cwd=tmp_path)
    assert first["session"] == second["session"] == third["session"]
    recording = Path(first["recording"])
    texts = [e.data.text for e in read_events(recording) if isinstance(e.data, UserMessage)]
    assert texts == ["a", "b", "c"]
    assert verify(recording).whole


async def test_an_open_round_goes_on_without_a_word(tmp_path: Path) -> None:
    whole = ScriptedModel(bash("echo one"), bash("echo two"), answer("Done."))
    folder = await talk(tmp_path, whole, "a")
    cut_after(folder, Observation)
    assert has_open_round(folder)
    after = ScriptedModel(bash("echo two"), answer("Done."))
    await talk(tmp_path, after, None, resumed=folder)
    [note, *rest] = [one for one in after.requests[-1] if one not in whole.requests[-1]]
    assert (rest, b"a new one has taken its place" in note) == ([], True)
    without = [[one for one in request if one != note] for request in after.requests]
    assert without == whole.requests[1:]
    events = [event.data for event in read_events(folder)]
    [end] = [data for data in events if isinstance(data, RoundEnd)]
    assert (end.round, end.status, end.steps) == (1, "answered", 3)
    assert verify(folder).whole
    assert not has_open_round(folder)


async def test_what_was_never_begun_is_run_when_the_round_goes_on(tmp_path: Path) -> None:
    both = calls(("bash", '{"command": "echo one"}'), ("bash", '{"command": "echo two"}'))
    folder = await talk(tmp_path, ScriptedModel(both, answer("Done.")), "a")
    cut_after(folder, Observation)
    after = ScriptedModel(answer("Done."))
    await talk(tmp_path, after, None, resumed=folder)
    assert [m["content"] for m in said(after) if m["role"] == "tool"] == ["one", "two"]
    assert verify(folder).whole


async def test_beside_a_lost_call_nothing_is_run_by_itself(tmp_path: Path) -> None:
    both = calls(("bash", '{"command": "echo one"}'), ("bash", '{"command": "echo two"}'))
    folder = await talk(tmp_path, ScriptedModel(both, answer("Done.")), "a")
    cut_after(folder, ToolCall)
    after = ScriptedModel(answer("I look."))
    await talk(tmp_path, after, None, resumed=folder)
    lost, not_run = [m["content"] for m in said(after) if m["role"] == "tool"]
    assert "died while this call ran" in lost
    assert "Not run" in not_run


async def test_a_lost_call_stands_before_the_later_one_beside_it_that_ended(
    tmp_path: Path,
) -> None:
    both = calls(("bash", '{"command": "echo one"}'), ("bash", '{"command": "echo two"}'))
    folder = await talk(tmp_path, ScriptedModel(both, answer("Done.")), "a")
    _end_the_second_alone(folder)
    after = ScriptedModel(answer("I look."))
    await talk(tmp_path, after, "Go on", resumed=folder)
    lost, ended = [m["content"] for m in said(after) if m["role"] == "tool"]
    assert "died while this call ran" in lost
    assert ended == "two"
    [*_, ended_round, _] = [e.data for e in read_events(folder) if isinstance(e.data, RoundEnd)]
    assert ended_round.steps == 1
    assert verify(folder).whole


def _end_the_second_alone(folder: Path) -> None:
    """Make a recording of two calls at the same time that died when the second had ended."""
    events = list(read_events(folder))
    response = next(at for at, e in enumerate(events) if isinstance(e.data, ModelResponse))
    ran = [e for e in events if isinstance(e.data, ToolCall)]
    ended = [e for e in events if isinstance(e.data, Observation)]
    (folder / LOG).unlink()
    recorder = Recorder.create(folder, folder.name)
    for event in [*events[: response + 1], *ran, ended[1]]:
        recorder.record(event.data, event.origin)
    recorder.close()


async def test_an_answer_that_was_given_ends_the_round_it_left_open(tmp_path: Path) -> None:
    folder = await talk(tmp_path, ScriptedModel(answer("Done.")), "a")
    cut_after(folder, ModelResponse)
    after = ScriptedModel()
    await talk(tmp_path, after, None, resumed=folder)
    assert after.requests == []
    assert [e.data.status for e in read_events(folder) if isinstance(e.data, RoundEnd)] == [
        "answered"
    ]


async def test_where_no_round_is_open_something_must_be_said(tmp_path: Path) -> None:
    folder = await talk(tmp_path, ScriptedModel(answer("Done.")), "a")
    with pytest.raises(UsageError, match="say what comes next"):
        await talk(tmp_path, ScriptedModel(), None, resumed=folder)
    assert verify(folder).whole


def test_the_command_line_goes_on_with_an_open_round(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work")
    call = next(e.seq for e in read_events(shell.last()) if isinstance(e.data, ToolCall))
    name = shell.sii("fork", "last", "--at", str(call)).stdout.strip()
    listed = shell.sii("list", "--status", "forked").stdout
    assert name in listed
    done = shell.sii("run", "-r", name, script="two")
    assert done.returncode == 0, done.stderr
    assert "First." in done.stdout
    texts = [e.data.text for e in read_events(shell.last()) if isinstance(e.data, Observation)]
    assert texts[0].startswith("one")
    again = shell.sii("run", "-r", name, script="two")
    assert (again.returncode, again.stderr) == (2, "sii: The task is empty.\n")


def test_the_prompt_goes_on_with_an_open_round(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work")
    call = next(e.seq for e in read_events(shell.last()) if isinstance(e.data, ToolCall))
    name = shell.sii("fork", "last", "--at", str(call)).stdout.strip()
    terminal = shell.terminal("-r", name, script="two")
    terminal.wait_for("First.")
    terminal.send("and now?\r")
    terminal.wait_for("Second.")
    terminal.send("\x04")
    assert terminal.exit_code() == 0
