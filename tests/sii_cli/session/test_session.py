"""A session when what it stands on gives way: the disk, the sandbox, its observer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recordings.errors import RecordingFailed
from recordings.events import Event, Observation, RoundEnd, SessionEnd, SessionStart, ToolCall
from recordings.storage.log import LogWriter, read_events
from recordings.verify import verify
from sandbox.protocol import SandboxSpec
from sii_cli.config.settings import Settings
from sii_cli.headless.run import interruptible_session
from sii_cli.model.types import ServedModel
from sii_cli.session import session as session_module
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.sandbox_lease import SandboxLease
from sii_cli.session.session import Session
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.shell import Shell


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: FakeBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",))


class Disk:
    """Fills up and empties."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        append = LogWriter.append

        def checked(writer: LogWriter, line: bytes, *, durable: bool) -> None:
            if self.is_full:
                raise RecordingFailed("The disk is full.")
            append(writer, line, durable=durable)

        monkeypatch.setattr(LogWriter, "append", checked)

    def fill(self) -> None:
        self.is_full = True


def bash(command: str) -> Any:
    return calls(("bash", json.dumps({"command": command})))


def recorded(session: Session) -> list[Any]:
    assert session.folder is not None
    assert verify(session.folder).whole
    return [event.data for event in read_events(session.folder)]


async def say(session: Session, text: str, on_call: Callable[[], None] | None = None) -> None:
    """Run a round; `on_call` is called when a tool is."""
    async for item in session.send(text):
        if on_call is not None and isinstance(item, Event) and isinstance(item.data, ToolCall):
            on_call()


async def test_a_session_that_is_left_in_a_round_says_that_it_was_interrupted(
    settings: Settings,
) -> None:
    model = ScriptedModel(bash("sleep 30"))
    session = await Session.open(settings, mode="headless", model=model)
    async with aclosing(session.send("go")) as items:
        async for item in items:
            if isinstance(item, Event) and isinstance(item.data, ToolCall):
                break
    await session.close()
    *_, observation, _, round_end, _, end = recorded(session)
    assert isinstance(observation, Observation)
    assert observation.error == "interrupted"
    assert isinstance(round_end, RoundEnd)
    assert isinstance(end, SessionEnd)
    assert end.status == round_end.status == "interrupted"


async def test_the_next_message_goes_on_with_what_was_kept_before_the_disk_was_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    model = ScriptedModel(bash("echo one"), answer("I look again."))
    session = await Session.open(settings, mode="interactive", model=model)
    with pytest.raises(RecordingFailed):
        await say(session, "go", on_call=disk.fill)
    disk.is_full = False
    await say(session, "go on")
    await session.close()
    roles = [json.loads(message)["role"] for message in model.requests[-1]]
    assert roles == ["system", "user", "assistant", "tool", "user"]
    assert recorded(session)[-1].status == "done"


async def test_a_recording_whose_beginning_was_not_kept_is_begun_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    model = ScriptedModel(answer("Hello."))
    session = await Session.open(settings, mode="interactive", model=model)
    disk.is_full = True
    with pytest.raises(RecordingFailed):
        await say(session, "go")
    disk.is_full = False
    await say(session, "go")
    await session.close()
    assert isinstance(recorded(session)[0], SessionStart)


async def test_closing_ends_everything_also_when_the_recording_cannot_be_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    closed: list[str] = []

    class Model(ScriptedModel):
        async def aclose(self) -> None:
            closed.append("model")

    async def close(sandbox: FakeSandbox) -> None:
        closed.append("sandbox")

    monkeypatch.setattr(FakeSandbox, "close", close)
    session = await Session.open(settings, mode="headless", model=Model(answer("Hello.")))
    await session.sandbox()
    await say(session, "go")
    disk.is_full = True
    with pytest.raises(RecordingFailed):
        await session.close()
    assert closed == ["sandbox", "model"]


class CountingBackend:
    """Counts the sandboxes that are up."""

    name = "counting"

    def __init__(self, root: Path) -> None:
        self._root = root
        self.started = 0
        self.up = 0

    async def start(self, spec: SandboxSpec) -> Any:
        self.started += 1
        self.up += 1
        await asyncio.sleep(0)
        backend = self

        class Counted(FakeSandbox):
            async def close(self) -> None:
                backend.up -= 1

        return Counted(self._root / str(self.started))


async def test_a_sandbox_that_cannot_be_recorded_is_ended(tmp_path: Path) -> None:
    backend = CountingBackend(tmp_path)
    lease = SandboxLease(backend, SandboxSpec(workspace=tmp_path))

    def fail(data: object) -> None:
        raise RecordingFailed("The disk is full.")

    lease.report_to(fail)
    with pytest.raises(RecordingFailed):
        await lease.get()
    assert backend.up == 0
    lease.report_to(None)
    await lease.get()
    await lease.close()
    assert (backend.started, backend.up) == (2, 0)


async def test_a_sandbox_lost_by_two_calls_is_replaced_once_and_ended(tmp_path: Path) -> None:
    backend = CountingBackend(tmp_path)
    lease = SandboxLease(backend, SandboxSpec(workspace=tmp_path))
    await lease.get()
    lease.lost("it died")
    lease.begin()
    lease.lost("it died")
    await lease.get()
    assert backend.started == 2
    await lease.close()
    assert backend.up == 0


async def test_an_interrupt_also_stops_the_wait_for_the_server_of_a_resumed_session(
    settings: Settings,
) -> None:
    class Silent(ScriptedModel):
        async def describe(self) -> ServedModel:
            await asyncio.sleep(30)
            raise AssertionError

    session = await Session.open(settings, mode="headless", model=ScriptedModel(answer("Hello.")))
    await say(session, "go")
    await session.close()

    assert session.folder is not None
    recorded = ResumedRecording(session.folder)

    async def go_on() -> None:
        opening = partial(Session.open, settings, mode="headless", model=Silent(), resumed=recorded)
        async with interruptible_session(opening) as resumed:
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
            await say(resumed, "go on")

    (stopped,) = await asyncio.wait_for(asyncio.gather(go_on(), return_exceptions=True), 5)
    assert isinstance(stopped, asyncio.CancelledError)


def test_a_reader_that_goes_away_ends_the_session_in_order(shell: Shell) -> None:
    process = subprocess.Popen(
        shell.argv("-p", "Do it", "--output-format", "stream-json", script="slow"),
        cwd=shell.workspace,
        env=shell.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    (folder,) = (shell.home / "recordings").iterdir()
    *_, round_end, _, end = [event.data for event in read_events(folder)]
    assert isinstance(round_end, RoundEnd)
    assert isinstance(end, SessionEnd)
    assert round_end.status == end.status == "interrupted"
    assert verify(folder).whole
