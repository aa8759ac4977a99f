"""Thirty kills each of the runner, the container and the engine, at random moments of a session.

Whatever dies: the session goes on or ends with a sentence, its recording is whole, nothing is left
behind, and `sii -c` continues it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError
from requests.exceptions import RequestException

from recordings.events import Event, Observation, RoundEnd
from recordings.verify import verify
from sandbox.docker.leftovers import OWNER_LABEL
from sandbox.runner.processes import with_descendants
from sii_cli.config.settings import Settings
from sii_cli.model.types import ChatRequest, ModelPart
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.script import Turn
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sandbox.conftest import IMAGE
from tests.sandbox.private_engine import PrivateEngine, engine
from tests.sii_cli.terminal import clean_environment

__all__ = ["engine"]
pytestmark = [pytest.mark.docker, pytest.mark.slow]

KILLS = int(os.environ.get("SII_TEST_KILLS", "30"))
ENDS_WITHIN = 120.0
GONE_WITHIN = 20.0

Kill = Callable[[], Awaitable[None]]


class Worker(ScriptedModel):
    """Makes a call in every step until `enough`; then it answers."""

    enough = False

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelPart, None]:
        step = f"echo step {len(self.requests)}"  # never the same: that would be a loop
        command = json.dumps({"command": f"{step} >> steps.txt; sleep 0.05; {step}"})
        self.scripts = [answer("Done.") if self.enough else calls(("bash", command))]
        async for part in super().stream(request):
            yield part


class Place:
    """A home and a workspace, and what is left of sessions in them."""

    def __init__(self, folder: Path, api: docker.APIClient, image: str) -> None:
        folder.mkdir()
        (folder / "workspace").mkdir()
        self.settings = Settings(
            home=folder / "home", workspace=folder / "workspace", tools=("bash",), image=image
        )
        self.api = api

    async def session(self, delay: float, kill: Kill) -> tuple[Path, list[Observation]]:
        """Run a round under which something is killed; return its recording and what was told."""
        model = Worker()
        session = await Session.open(self.settings, mode="headless", model=model)
        killing = asyncio.create_task(self._kill(model, delay, kill))
        told = await say(session, "Count your steps.")
        await killing
        folder = session.folder
        await session.close()
        assert folder is not None
        return folder, told

    async def _kill(self, model: Worker, delay: float, kill: Kill) -> None:
        await asyncio.sleep(delay)
        await kill()
        await asyncio.sleep(0.3)
        model.enough = True

    async def goes_on(self, folder: Path) -> None:
        """What was recorded is whole, and the next message is answered, with a sandbox."""
        assert verify(folder).whole
        session = await Session.open(
            self.settings,
            mode="headless",
            model=ScriptedModel(calls(("bash", '{"command": "echo back"}')), answer("Done.")),
            resumed=ResumedRecording(folder),
        )
        (back,) = (await say(session, "Go on."))[-1:]
        assert back.text == "back"
        await session.close()
        assert verify(folder).whole

    def containers(self, *, running: bool = False) -> list[str]:
        """Those that this process has made."""
        found = self.api.containers(all=not running, filters={"label": OWNER_LABEL})
        ours = [
            box for box in found if box["Labels"][OWNER_LABEL].split(":")[-2] == str(os.getpid())
        ]
        return [box["Id"] for box in ours]

    async def one_container(self) -> str | None:
        """Wait for one that runs, as a start takes its time."""
        until = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < until:
            with suppress(APIError, RequestException):
                for name in await asyncio.to_thread(self.containers, running=True):
                    return name
            await asyncio.sleep(0.01)
        return None


async def say(session: Session, text: str) -> list[Observation]:
    """Run a round to its end; return what calls were told."""
    told: list[Event] = []

    async def to_the_end() -> None:
        told.extend([item async for item in session.send(text) if isinstance(item, Event)])

    await asyncio.wait_for(to_the_end(), ENDS_WITHIN)
    end = told[-1].data
    assert isinstance(end, RoundEnd)
    assert end.status in {"answered", "infra"}
    observed = [event.data for event in told if isinstance(event.data, Observation)]
    for one in observed:
        assert "Traceback" not in one.text
        assert one.error in {None, "sandbox_lost", "sandbox_unavailable"}, one
    return observed


def is_loss(told: list[Observation]) -> bool:
    return any(one.error is not None for one in told)


async def nothing_is_left(left: Callable[[], list[str]], temporary: Path) -> None:
    until = time.monotonic() + GONE_WITHIN
    while found := left() + [name for name in os.listdir(temporary) if name.startswith("sii-run-")]:
        assert time.monotonic() < until, found
        await asyncio.sleep(0.1)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders are made in this test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("part", ["runner", "container"])
async def test_a_killed_sandbox(
    tmp_path: Path, temporary: Path, part: str, sandbox_image: str
) -> None:
    moments = random.Random(part)
    api = docker.APIClient(version="auto")
    losses = 0
    for number in range(KILLS):
        place = Place(tmp_path / str(number), api, IMAGE)

        async def kill(place: Place = place, number: int = number) -> None:
            name = await place.one_container()
            assert name is not None
            with suppress(APIError, ProcessLookupError):
                if part == "runner":
                    os.kill(api.inspect_container(name)["State"]["Pid"], signal.SIGKILL)
                elif number % 2:
                    await asyncio.to_thread(api.kill, name)
                else:
                    await asyncio.to_thread(api.remove_container, name, force=True)

        folder, told = await place.session(moments.uniform(0, 1), kill)
        losses += is_loss(told)
        await place.goes_on(folder)
        await nothing_is_left(place.containers, temporary)
    assert losses > KILLS // 2, "hardly a kill fell into a session"


def command_lines() -> dict[int, str]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode()
    return found


def is_shim_of(engine: PrivateEngine, line: str) -> bool:
    return "containerd-shim" in line and str(engine.folder) in line


def running_below(shims: list[int]) -> list[str]:
    """What runs in containers; `runc init` is one that was never started."""
    lines = command_lines()
    below = with_descendants(set(shims)) - set(shims)
    return [lines[pid] for pid in below if lines.get(pid, "").strip() not in {"", "runc init"}]


async def test_a_killed_engine(
    engine: PrivateEngine, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    moments = random.Random("engine")
    losses = 0
    for number in range(KILLS):
        api = docker.APIClient(base_url=engine.host, version="auto")
        place = Place(tmp_path / str(number), api, "small")

        async def kill() -> None:
            await asyncio.to_thread(engine.end, signal.SIGKILL)

        folder, told = await place.session(moments.uniform(0, 1), kill)
        losses += is_loss(told)
        await asyncio.to_thread(engine.start)
        await place.goes_on(folder)
        await nothing_is_left(engine.containers, temporary)
    # The engine forgets its shims of containers that it was starting: nothing of sii runs there.
    shims = [pid for pid, line in command_lines().items() if is_shim_of(engine, line)]
    try:
        await nothing_is_left(lambda: running_below(shims), temporary)
    finally:
        for pid in with_descendants(set(shims)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert losses > KILLS // 2, "hardly a kill fell into a session"


def test_the_program_goes_on_after_a_kill(tmp_path: Path, sandbox_image: str) -> None:
    """The same with `sii` as it is used: a task whose runner is killed, and `sii -c`."""
    steps = [Turn(f"Step {n}.", [("bash", {"command": f"sleep 0.1; echo {n}"})]) for n in range(30)]
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with in_a_thread(ScriptedServer(iter([*steps, *[Turn("Done.")] * 3]))) as server:
        env = clean_environment() | {
            "SII_BASE_URL": server.base_url,
            "SII_HOME": str(tmp_path / "home"),
            "SII_IMAGE": IMAGE,
        }

        def sii(*arguments: str) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-m", "sii_cli.main", *arguments],
                cwd=workspace,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        first = sii("-p", "Count your steps.")
        api = docker.APIClient(version="auto")
        while first.poll() is None:
            found = api.containers(filters={"label": OWNER_LABEL})
            label = {box["Labels"][OWNER_LABEL].split(":")[-2]: box["Id"] for box in found}
            if name := label.get(str(first.pid)):
                with suppress(APIError, ProcessLookupError):
                    os.kill(api.inspect_container(name)["State"]["Pid"], signal.SIGKILL)
                break
            time.sleep(0.01)
        told, _ = first.communicate(timeout=ENDS_WITHIN)
        assert "Traceback" not in told
        again = sii("-c", "-p", "Go on.")
        told, _ = again.communicate(timeout=ENDS_WITHIN)
        assert again.returncode == 0, told
        assert "Traceback" not in told
    for recording in (tmp_path / "home" / "recordings").iterdir():
        assert verify(recording).whole
