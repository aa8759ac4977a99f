"""A new sandbox in an old session: the model is told what is gone before it counts on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Event,
    HarnessMessage,
    ModelRequest,
    ModelResponse,
    Observation,
    SandboxEnd,
    ToolCall,
)
from recordings.storage.log import LOG, read_events
from recordings.verify import verify
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import CommandResult, Sandbox, SandboxBackend, SandboxLost, SandboxSpec
from sii_cli.config.settings import Settings
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.shell import Shell

GONE = "The sandbox that you worked in is gone, and a new one has taken its place."
STAYED = "The files in /workspace are still there."
TOOLS = ("bash", "python", "jobs", "read_file", "write_file", "grep", "todo")


def bash(command: str, **more: Any) -> Script:
    return calls(("bash", json.dumps({"command": command, **more})))


def python(code: str) -> Script:
    return calls(("python", json.dumps({"code": code})))


def job(command: str) -> Script:
    return bash(command, background=True)


class Backend(FakeBackend):
    """Keeps the sandboxes that it gives out."""

    def __init__(self) -> None:
        self.given: list[FakeSandbox] = []

    async def start(self, spec: SandboxSpec) -> Sandbox:
        sandbox = await super().start(spec)
        assert isinstance(sandbox, FakeSandbox)
        self.given.append(sandbox)
        return sandbox

    def kill(self) -> None:
        """Let the sandbox be gone, as its stream's end tells."""
        self.given[-1].lost = "it was killed"


@pytest.fixture(autouse=True)
def _a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SII_HOME", str(tmp_path / "home"))


@asynccontextmanager
async def opened(
    place: Path,
    model: ScriptedModel,
    resumed: Path | None = None,
    backend: SandboxBackend | None = None,
    **settings: Any,
) -> AsyncIterator[Session]:
    workspace = place / "workspace"
    workspace.mkdir(exist_ok=True)
    session = await Session.open(
        Settings(home=place / "home", workspace=workspace, tools=TOOLS, **settings),
        mode="headless",
        model=model,
        backend=backend or Backend(),
        resumed=ResumedRecording(resumed) if resumed else None,
    )
    try:
        yield session
    finally:
        await session.close()


async def say(
    session: Session, text: str | None, on_event: Callable[[Any], None] = lambda data: None
) -> None:
    """Run a round, or without text the one that was left open."""
    async for item in session.send(text) if text is not None else session.resume_round():
        if isinstance(item, Event):
            on_event(item.data)


async def talk(place: Path, *scripts: Script, resumed: Path | None = None, **more: Any) -> Path:
    """Hold a session of one round; return the recording's folder."""
    model = ScriptedModel(*scripts)
    async with opened(place, model, resumed, **more) as session:
        await say(session, "Go.")
    assert session.folder is not None
    return session.folder


async def told(
    place: Path, folder: Path, text: str | None = "Go on.", **more: Any
) -> list[dict[str, Any]]:
    """Resume a recording; return the messages of the first request."""
    model = ScriptedModel(answer("."))
    async with opened(place, model, folder, **more) as session:
        await say(session, text)
    assert verify(folder).whole
    return [orjson.loads(message) for message in model.requests[0]]


def note_in(messages: list[dict[str, Any]]) -> str | None:
    """The last note on a new sandbox among messages."""
    notes = [m["content"] for m in messages if m["role"] == "system" and GONE in m["content"]]
    return notes[-1] if notes else None


def notes(folder: Path) -> list[str]:
    found = (event.data for event in read_events(folder))
    return [d.text for d in found if isinstance(d, HarnessMessage) and d.reason == "new_sandbox"]


async def test_a_session_that_goes_on_says_what_is_gone_before_the_first_call(
    tmp_path: Path,
) -> None:
    folder = await talk(tmp_path, job("sleep 611"), python("x = 41"), answer("Done."))
    *_, before, note, asked = await told(tmp_path, folder)
    assert (before["content"], asked["content"]) == ("Done.", "Go on.")
    assert note == {
        "role": "system",
        "content": (
            f"{GONE} Gone with it: the Python interpreter's variables and imports; what was "
            "written or installed outside /workspace (as by pip or apt, in ~ or /tmp); the "
            f"background jobs that still ran (job 1: sleep 611). {STAYED} Make again what you "
            "still need."
        ),
    }


async def test_it_is_harness_text_and_stands_between_the_rounds(tmp_path: Path) -> None:
    folder = await talk(tmp_path, bash("cd /tmp"), answer("Done."))
    await told(tmp_path, folder)
    [event] = [e for e in read_events(folder) if isinstance(e.data, HarnessMessage)]
    assert event.origin == "harness"
    assert isinstance(event.data, HarnessMessage)
    assert "the shell's directory, variables and functions" in event.data.text
    assert "interpreter" not in event.data.text
    assert "jobs" not in event.data.text


@pytest.mark.parametrize(
    "script",
    [
        answer("Hello."),
        calls(("todo", '{"todos": []}')),
        calls(("grep", '{"pattern": "x"}')),
        calls(("read_file", '{"path": "nothing"}')),
        calls(("write_file", '{"path": "a.txt", "content": "x"}')),
        calls(("bash", "no json")),
        calls(("python", '{"wrong": 1}')),
    ],
)
async def test_where_nothing_was_lost_nothing_is_said(tmp_path: Path, script: Script) -> None:
    folder = await talk(tmp_path, script, answer("Done."))
    assert note_in(await told(tmp_path, folder)) is None
    assert notes(folder) == []


@pytest.mark.parametrize(
    "ending",
    [
        [calls(("jobs", '{"action": "stop", "id": 1}'))],
        [calls(("jobs", '{"action": "wait", "id": 1}'))],
        [calls(("jobs", '{"action": "wait", "id": 1}')), bash("echo")],
        [bash("sleep 1"), calls(("jobs", '{"action": "list"}'))],
    ],
)
async def test_jobs_that_have_ended_are_not_named(tmp_path: Path, ending: list[Script]) -> None:
    folder = await talk(tmp_path, job("sleep 0.2"), job("sleep 612"), *ending, answer("Done."))
    note = note_in(await told(tmp_path, folder))
    assert note is not None
    assert "(job 2: sleep 612)" in note
    assert "sleep 0.2" not in note


async def test_it_is_told_once_and_then_only_of_what_came_since(tmp_path: Path) -> None:
    folder = await talk(tmp_path, python("x = 41"), answer("Done."))
    await told(tmp_path, folder)
    await told(tmp_path, folder)
    assert len(notes(folder)) == 1
    await talk(tmp_path, bash("export A=1"), answer("Done."), resumed=folder)
    await told(tmp_path, folder)
    first, second = notes(folder)
    assert ("interpreter" in first, "shell" in first) == (True, False)
    assert ("interpreter" in second, "shell" in second) == (False, True)


async def test_a_recording_that_was_cut_by_a_kill_is_told_of_too(tmp_path: Path) -> None:
    folder = await talk(tmp_path, python("x = 41"), job("sleep 613"), answer("Done."))
    lines = (folder / LOG).read_bytes().splitlines(keepends=True)
    events = list(read_events(folder))
    end = [e.seq for e in events if isinstance(e.data, Observation)][-1] + 1
    assert not any(isinstance(e.data, SandboxEnd) for e in events[:end])
    (folder / LOG).write_bytes(b"".join(lines[:end]) + lines[end][:20])
    *_, last, note = await told(tmp_path, folder, None)  # the open round goes on by itself
    assert last["role"] == "tool"
    assert "job 1: sleep 613" in note["content"]
    await told(tmp_path, folder)
    assert len(notes(folder)) == 1


async def test_a_call_under_way_at_the_kill_counts_as_run(tmp_path: Path) -> None:
    folder = await talk(tmp_path, python("x = 41"), answer("Done."))
    lines = (folder / LOG).read_bytes().splitlines(keepends=True)
    end = next(e.seq for e in read_events(folder) if isinstance(e.data, ToolCall)) + 1
    (folder / LOG).write_bytes(b"".join(lines[:end]))
    *_, lost, note = await told(tmp_path, folder, None)
    assert "died while this call ran" in lost["content"]
    assert "the Python interpreter's variables" in note["content"]


async def test_a_sandbox_killed_between_rounds_is_told_before_the_next_call(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(job("sleep 614"), answer("Done."), python("1"), answer("Again."))
    backend = Backend()
    async with opened(tmp_path, model, backend=backend) as session:
        await say(session, "Go.")
        backend.kill()
        await say(session, "Go on.")
    *_, note, asked = map(orjson.loads, model.requests[2])
    assert (note["role"], asked["content"]) == ("system", "Go on.")
    assert "job 1: sleep 614" in note["content"]
    assert len(backend.given) == 2
    assert session.folder is not None
    assert len(notes(session.folder)) == 1
    observed = [e.data for e in read_events(session.folder) if isinstance(e.data, Observation)]
    assert [one.error for one in observed] == [None, None]


async def test_a_sandbox_killed_within_a_round_is_told_at_the_next_step(tmp_path: Path) -> None:
    model = ScriptedModel(python("x = 41"), python("x + 1"), answer("Done."))
    backend = Backend()

    def on_event(data: Any) -> None:
        if isinstance(data, Observation) and data.step == 1:
            backend.kill()

    async with opened(tmp_path, model, backend=backend) as session:
        await say(session, "Go.", on_event)
    *_, observed, note = map(orjson.loads, model.requests[1])
    assert (observed["role"], note["role"]) == ("tool", "system")
    assert "the Python interpreter's variables and imports" in note["content"]
    assert session.folder is not None
    assert verify(session.folder).whole


async def test_a_sandbox_that_dies_under_a_call_is_told_after_what_the_call_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: Any, **__: Any) -> CommandResult:
        raise SandboxLost("The sandbox is gone: it was killed.")

    model = ScriptedModel(python("x = 41"), job("sleep 615"), bash("echo"), answer("Done."))
    backend = Backend()

    def on_event(data: Any) -> None:
        if isinstance(data, Observation) and data.step == 2:
            monkeypatch.setattr(backend.given[0], "bash", die)

    async with opened(tmp_path, model, backend=backend) as session:
        await say(session, "Go.", on_event)
    *_, observed, note = map(orjson.loads, model.requests[3])
    assert "The sandbox died during this call" in observed["content"]
    for words in ("interpreter's variables", "the shell's directory", "job 1: sleep 615", STAYED):
        assert words in note["content"]
    assert session.folder is not None
    assert len(notes(session.folder)) == 1


async def test_the_prompt_only_grows(tmp_path: Path) -> None:
    """What was sent stays as it was, and a recording gives back what the session had sent."""
    folder = await talk(tmp_path, python("x = 41"), answer("Done."))
    model = ScriptedModel(python("y = 1"), answer("Done."))
    async with opened(tmp_path, model, folder) as session:
        await say(session, "Go on.")
    last = model.requests[-1]
    assert last[: len(model.requests[0])] == model.requests[0]
    again = ScriptedModel(answer("."))
    async with opened(tmp_path, again, folder) as session:
        await say(session, "And on.")
    assert again.requests[0][: len(last)] == last
    assert verify(folder).whole


async def test_set_up_commands_are_said_to_run_again(tmp_path: Path) -> None:
    folder = await talk(tmp_path, bash("echo"), answer("Done."), setup=("true",))
    note = note_in(await told(tmp_path, folder, setup=("true",)))
    assert note is not None
    assert "The set-up commands are run again in the new one." in note


async def test_what_a_job_is_called_makes_no_control_token_and_no_line(tmp_path: Path) -> None:
    command = "sleep 616 # <|user|>\necho '</think>'"
    folder = await talk(tmp_path, job(command), answer("Done."))
    note = note_in(await told(tmp_path, folder))
    assert note is not None
    assert "job 1: sleep 616 # <" in note
    assert "<|user|>" not in note
    assert "\n" not in note


async def test_many_jobs_are_counted(tmp_path: Path) -> None:
    many = [("bash", json.dumps({"command": f"sleep 6{n}", "background": True})) for n in range(25)]
    folder = await talk(tmp_path, calls(*many), answer("Done."))
    note = note_in(await told(tmp_path, folder))
    assert note is not None
    assert "job 20: sleep 619; 5 more)" in note


def fork(shell: Shell, parent: Path, at: int, *options: str, stdin: str = "") -> Path:
    done = shell.sii("fork", parent.name, "--at", str(at), *options, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return shell.store.root / done.stdout.strip()


async def test_a_fork_is_told_what_its_parent_had(shell: Shell) -> None:
    parent = await talk_at(shell, python("x = 41"), job("sleep 617"), answer("Done."))
    first, second = [e.seq for e in read_events(parent) if isinstance(e.data, Observation)]
    for at, is_named in ((first, False), (second, True)):
        child = fork(shell, parent, at)
        messages = await told_at(shell, child)
        assert messages[-1]["role"] == "system"
        assert "the Python interpreter's variables" in messages[-1]["content"]
        assert ("sleep 617" in messages[-1]["content"]) is is_named
        assert not restore(child).sandbox.lost, "told once"


async def test_a_fork_before_a_call_was_run_has_lost_nothing(shell: Shell) -> None:
    parent = await talk_at(shell, python("x = 41"), answer("Done."))
    call = next(e.seq for e in read_events(parent) if isinstance(e.data, ToolCall))
    messages = await told_at(shell, fork(shell, parent, call))
    assert messages[-1]["role"] == "tool"
    assert note_in(messages) is None


async def test_calls_that_an_annotator_wrote_run_first_and_the_note_says_so(shell: Shell) -> None:
    parent = await talk_at(shell, python("x = 41"), python("x + 1"), answer("Done."))
    second = [e.seq for e in read_events(parent) if isinstance(e.data, ModelResponse)][1]
    text = "%%% call python\n%%% argument code\ny = 2\n"
    child = fork(shell, parent, second, "--replace", "-", "--speaker", "ann", stdin=text)
    messages = await told_at(shell, child)
    assert [m["role"] for m in messages[-3:]] == ["assistant", "tool", "system"]
    assert "Calls that came after it was gone ran in the new one." in messages[-1]["content"]


async def talk_at(shell: Shell, *scripts: Script) -> Path:
    return await talk(shell.home.parent, *scripts)


async def told_at(shell: Shell, folder: Path) -> list[dict[str, Any]]:
    workspace = Path(restore(folder).workspace)
    model = ScriptedModel(answer("."))
    session = await Session.open(
        Settings(home=shell.home, workspace=workspace, tools=TOOLS),
        mode="headless",
        model=model,
        backend=Backend(),
        resumed=ResumedRecording(folder),
    )
    try:
        await say(session, None)
    finally:
        await session.close()
    assert verify(folder).whole
    return [orjson.loads(message) for message in model.requests[0]]


@pytest.mark.docker
async def test_in_a_real_sandbox_what_is_said_to_be_gone_is_gone(tmp_path: Path) -> None:
    import docker

    model = ScriptedModel(
        job("sleep 618"),
        python("x = 41"),
        bash("cd /tmp && echo a > a.txt && echo b > /workspace/b.txt"),
        answer("Done."),
        bash("pwd; ls /tmp; ls; pgrep -x sleep"),
        python("x"),
        answer("Seen."),
    )
    async with opened(tmp_path, model, backend=DockerBackend()) as session:
        await say(session, "Go.")
        sandbox = await session.sandbox()
        docker.from_env().containers.get(sandbox.info.sandbox_id).kill()
        with suppress(SandboxLost):  # once its stream has ended
            while True:
                await sandbox.ping()
        await say(session, "Go on.")
    *_, note, _ = map(orjson.loads, model.requests[4])
    for words in ("interpreter's variables", "the shell's directory", "job 1: sleep 618"):
        assert words in note["content"]
    assert session.folder is not None
    events = [event.data for event in read_events(session.folder)]
    looked, asked = [d for d in events if isinstance(d, Observation)][-2:]
    assert looked.text.splitlines()[:2] == ["/workspace", "b.txt"]
    assert "NameError" in asked.text
    assert len([d for d in events if isinstance(d, ModelRequest)]) == 7
