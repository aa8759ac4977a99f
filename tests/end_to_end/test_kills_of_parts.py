"""Thirty kills each of the runner, the container and the engine, at random moments of a session.

Whatever dies: the session goes on or ends with a sentence, its recording is whole, nothing is left
behind, and `sii -c` continues it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError
from requests.exceptions import RequestException

from recordings.events import Observation
from recordings.log import read_events
from recordings.store import RecordingStore
from recordings.verify import verify
from sandbox.reaper import OWNER_LABEL
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sandbox.conftest import IMAGE
from tests.sandbox.private_engine import PrivateEngine, engine
from tests.sii_cli.terminal import clean_environment

__all__ = ["engine"]
pytestmark = [pytest.mark.docker, pytest.mark.slow]

KILLS = int(os.environ.get("SII_TEST_KILLS", "30"))
STEPS = 25
ENDS_WITHIN = 120.0
GONE_WITHIN = 15.0


def work() -> Iterator[Turn]:
    """Some steps, an answer; then an answer to whatever follows."""
    for number in range(STEPS):
        command = f"echo {number} >> steps.txt; sleep 0.05; echo step {number}"
        yield Turn(f"Step {number}.", [("bash", {"command": command})])
    while True:
        yield Turn("Done.")


class Place:
    """A folder with a home, a workspace and temporary files of its own."""

    def __init__(self, folder: Path, server: ScriptedServer, host: str, image: str) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.temporary = folder / "tmp"
        for path in (self.workspace, self.temporary):
            path.mkdir()
        self._env = clean_environment() | {
            "SII_BASE_URL": server.base_url,
            "SII_HOME": str(folder / "home"),
            "SII_IMAGE": image,
            "TMPDIR": str(self.temporary),
            "DOCKER_HOST": host,
        }
        self.api = docker.APIClient(base_url=host, version="1.41")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sii_cli.main", *arguments],
            cwd=self.workspace,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def containers(self, pid: int, *, running: bool = False) -> list[str]:
        found = self.api.containers(all=not running, filters={"label": OWNER_LABEL})
        ours = [box for box in found if box["Labels"][OWNER_LABEL].split(":")[-2] == str(pid)]
        return [box["Id"] for box in ours]

    def check(self, process: subprocess.Popen[str], told: str) -> None:
        """The program ended in order, its recording is whole, and it can be gone on with."""
        assert "Traceback" not in told, told
        assert process.returncode in {0, 1, 2, 3, 4, 5}, told
        until = time.monotonic() + GONE_WITHIN
        while left := self.containers(process.pid) + list(map(str, self.temporary.iterdir())):
            assert time.monotonic() < until, left
            time.sleep(0.1)
        for recording in self.recordings():
            verdict = verify(recording)
            assert verdict.whole, verdict
        if not self.recordings():  # killed before the first message was kept
            return
        again = self.start("-c", "-p", "Go on.")
        told, _ = again.communicate(timeout=ENDS_WITHIN)
        assert again.returncode == 0, told
        assert "Done." in told
        (recording,) = self.recordings()
        assert verify(recording).whole

    def recordings(self) -> list[Path]:
        store = self.folder / "home" / "recordings"
        return [store / name for name in RecordingStore(store).ids()]

    def losses(self) -> int:
        """How many calls were told that their sandbox was lost."""
        events = [event.data for one in self.recordings() for event in read_events(one)]
        return sum(
            isinstance(event, Observation)
            and event.error in {"sandbox_lost", "sandbox_unavailable"}
            for event in events
        )


def kill_at(
    place: Place, process: subprocess.Popen[str], delay: float, kill: Callable[[str], None]
) -> None:
    """Kill something of the program's container after a while, as soon as there is one."""
    time.sleep(delay)
    while process.poll() is None:
        with suppress(APIError, RequestException, ProcessLookupError):
            for name in place.containers(process.pid, running=True):
                kill(name)
                return
        time.sleep(0.01)


def run(place: Place, delay: float, kill: Callable[[str], None]) -> int:
    """Run a session under which something is killed; return how many calls were told."""
    process = place.start("-p", "Count your steps.", "--max-steps", "100")
    kill_at(place, process, delay, kill)
    told, _ = process.communicate(timeout=ENDS_WITHIN)
    losses = place.losses()
    place.check(process, told)
    return losses


@pytest.mark.parametrize("part", ["runner", "container"])
def test_a_killed_sandbox(tmp_path: Path, part: str, sandbox_image: str) -> None:
    moments = random.Random(part)
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    losses = 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with in_a_thread(ScriptedServer(work())) as server:
            place = Place(folder, server, host, IMAGE)

            def kill(name: str, place: Place = place, number: int = number) -> None:
                if part == "runner":
                    os.kill(place.api.inspect_container(name)["State"]["Pid"], signal.SIGKILL)
                elif number % 2:
                    place.api.kill(name)
                else:
                    place.api.remove_container(name, force=True)

            losses += run(place, moments.uniform(0.3, 3.0), kill)
    assert losses > KILLS // 4, "hardly a kill fell into a session"


def test_a_killed_engine(tmp_path: Path, engine: PrivateEngine) -> None:
    moments = random.Random("engine")
    losses = 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with in_a_thread(ScriptedServer(work())) as server:
            place = Place(folder, server, engine.host, "small")
            process = place.start("-p", "Count your steps.", "--max-steps", "100")
            time.sleep(moments.uniform(0.3, 4.0))
            engine.end(signal.SIGKILL)
            told, _ = process.communicate(timeout=ENDS_WITHIN)
            losses += place.losses()
            engine.start()
            place.check(process, told)
    until = time.monotonic() + GONE_WITHIN
    while left := engine.containers() + engine.mounts() + engine.processes():
        assert time.monotonic() < until, left
        time.sleep(0.1)
    assert losses > KILLS // 4, "hardly a kill fell into a session"
