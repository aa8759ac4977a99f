"""kill -9 at any moment: the recording opens, no completed step is lost, no container is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.events import ModelRequest, Observation, Snapshot, ToolCall
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from recordings.store.workspaces import snapshots_of
from recordings.verify import verify
from sandbox.docker.leftovers import OWNER_LABEL
from sii_cli.workspace.history import materialise
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.terminal import clean_environment

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SII = [sys.executable, "-m", "sii_cli.main"]
GONE_WITHIN = 2.0
"""Seconds after a kill in which the container must be gone."""


def work() -> Iterator[Turn]:
    """Steps without an end: each takes about 50 ms of model and 20 ms of command."""
    number = 0
    while True:
        number += 1
        command = f"echo step {number} >> steps.txt; sleep 0.02; echo step {number}"
        yield Turn(f"Step {number}.", [("bash", {"command": command})], slow=0.005)


def containers_of(pid: int) -> list[str]:
    """Ids of the containers that a process owns."""
    found = docker.APIClient().containers(all=True, filters={"label": OWNER_LABEL})
    return [box["Id"] for box in found if box["Labels"][OWNER_LABEL].split(":")[-2] == str(pid)]


@given(delay=st.floats(0.0, 4.0))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_kill_at_any_moment_loses_at_most_the_step_under_way(
    tmp_path_factory: pytest.TempPathFactory, delay: float
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    workspace = folder / "workspace"
    workspace.mkdir()
    with in_a_thread(ScriptedServer(work())) as server:
        process = start(server.base_url, folder, workspace)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked = [request.body["messages"] for request in server.requests]
    no_container_is_left(process.pid)
    for recording in RecordingStore(folder / "home" / "recordings").ids():
        check(folder / "home" / "recordings" / recording, asked)
        check_workspace(folder / "home" / "recordings" / recording, folder)


def start(base_url: str, folder: Path, workspace: Path) -> subprocess.Popen[bytes]:
    env = {"SII_BASE_URL": base_url, "SII_HOME": str(folder / "home")}
    return subprocess.Popen(
        [*SII, "-p", "Count your steps.", "--max-steps", "1000"],
        cwd=workspace,
        env=clean_environment() | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def no_container_is_left(pid: int) -> None:
    deadline = time.monotonic() + GONE_WITHIN
    while left := containers_of(pid):
        assert time.monotonic() < deadline, f"{left} outlived the client"
        time.sleep(0.05)


def check(recording: Path, asked: list[list[dict[str, object]]]) -> None:
    """The log is whole, and holds everything that the model had been sent."""
    verdict = verify(recording)
    assert verdict.whole, verdict
    events = [event.data for event in read_events(recording)]
    sent = [event for event in events if isinstance(event, ModelRequest)]
    assert len(sent) >= len(asked)
    observed = [event.text for event in events if isinstance(event, Observation)]
    told = (
        [message["content"] for message in asked[-1] if message["role"] == "tool"] if asked else []
    )
    assert observed[: len(told)] == told


def check_workspace(recording: Path, folder: Path) -> None:
    """Every step before the last call has its snapshot; each is whole and of its step."""
    kept = [event for event in snapshots_of(recording) if isinstance(event.data, Snapshot)]
    begun = [
        event.data.step for event in read_events(recording) if isinstance(event.data, ToolCall)
    ]
    assert len(kept) >= len(begun)  # one more for the start, perhaps one less for the last step
    for event in kept:
        assert isinstance(event.data, Snapshot)
        target = folder / "trees" / str(event.seq)
        at, restored = materialise(recording, event.seq, target, folder / "home")
        assert (at.exact, restored.missing) == (True, ())
        steps = target / "steps.txt"
        lines = steps.read_text().splitlines() if steps.exists() else []
        assert lines == [f"step {number}" for number in range(1, event.data.step + 1)]
