"""`sii sandbox`: what runs is listed with its owner, what is left over removed, faults told."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from recordings.events import SandboxStart
from recordings.recorder import Recorder
from sandbox.client.launch import new_name
from sandbox.docker import debian_base, image
from sandbox.docker.backend import DockerBackend
from sandbox.docker.check import check as check_docker
from sandbox.docker.leftovers import OWNER_LABEL, owner
from sandbox.protocol import SandboxBackend, SandboxSpec
from sii_cli.commands.sandbox import _age
from sii_cli.commands.sandbox import command as sandbox_command
from sii_cli.config.settings import Settings
from sii_cli.doctor.sandbox import examine_sandbox


def sii_sandbox(*arguments: str) -> Result:
    result = CliRunner().invoke(sandbox_command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def listed() -> dict[str, dict[str, object]]:
    lines = sii_sandbox("list", "--json").stdout.splitlines()
    return {fact["sandbox_id"]: fact for fact in map(json.loads, lines)}


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"])
def backend(request: pytest.FixtureRequest) -> SandboxBackend:
    from sandbox.bubblewrap.backend import BubblewrapBackend

    return DockerBackend() if request.param == "docker" else BubblewrapBackend()


async def test_a_running_sandbox_is_listed_with_owner_memory_and_session(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    sandbox = await backend.start(SandboxSpec(tmp_path))
    name = sandbox.info.sandbox_id
    try:
        facts = (await asyncio.to_thread(listed))[name]
        assert facts["owner"] == os.getpid()
        assert facts["owner_lives"]
        assert facts["session"] is None
        assert facts["workspace"] == str(tmp_path)
        assert 1 << 20 < int(str(facts["memory"])) < 200 << 20
        folder = tmp_path / "20260101-session"
        folder.mkdir()
        recorder = Recorder.create(folder, folder.name)
        recorder.record(SandboxStart(backend="any", sandbox_id=name, start_seconds=0.0), "harness")
        assert (await asyncio.to_thread(listed))[name]["session"] == folder.name
        lines = (await asyncio.to_thread(sii_sandbox, "list")).stdout.splitlines()
        (line,) = (line for line in lines if name in line)
        assert f"pid {os.getpid()} " in line
        assert "20260101-session" in line
        recorder.close()
    finally:
        await sandbox.close()
    async with asyncio.timeout(10):  # the engine removes a container a moment after its end
        while name in await asyncio.to_thread(listed):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.docker
def test_what_a_dead_owner_left_is_reaped(sandbox_image: str) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    boot, namespace, *_ = owner().split(":")
    label = f"{OWNER_LABEL}={boot}:{namespace}:{gone.pid}:1"
    # A sandbox's name, too: what has the label alone is somebody's own container.
    named = ["--name", new_name(), "--label", label]
    command = ["docker", "create", *named, sandbox_image]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    said = sii_sandbox("reap").stdout
    assert "of ended processes" in said or said == "Nothing is left over.\n"  # another was quicker
    assert subprocess.run(["docker", "inspect", made], capture_output=True).returncode != 0


@pytest.mark.docker
async def test_the_doctor_finds_a_real_sandbox_fit(backend: SandboxBackend) -> None:
    named: dict[str, Any] = {"sandbox": backend.name}
    checks = [check async for check in examine_sandbox(Settings(**named))]
    assert [check for check in checks if check.status == "fail"] == []
    assert {"start", "network", "isolation", "memory", "end"} <= {one.name for one in checks}


@pytest.mark.docker
async def test_the_doctor_says_why_a_sandbox_does_not_start() -> None:
    checks = [check async for check in examine_sandbox(Settings(image="sii-missing:none"))]
    assert checks[-1].status == "fail"
    assert "sii-missing:none is not there" in checks[-1].found


@pytest.mark.docker
def test_an_image_of_an_older_recipe_is_a_warning_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debian_base, "REGISTRY_BASE", "another")
    check = check_docker(image.TAG)[-1]
    assert (check.name, check.status, check.remedy) == ("image", "warn", "sii sandbox build")


@pytest.mark.docker
def test_an_image_that_is_up_to_date_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "build_image", lambda *_: pytest.fail("built again"))
    assert f"{image.TAG} is ready" in sii_sandbox("build").stdout


def test_sandboxes_that_cannot_be_listed_are_not_said_to_be_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    said = sii_sandbox("list").stderr
    assert "Docker's sandboxes are not listed: No Docker engine answers" in said
    assert "There are no sandboxes" not in said


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0s"), (61, "1m"), (7200, "2h"), (100_000, "1d")]
)
def test_an_age_is_short(seconds: float, words: str) -> None:
    assert _age(seconds) == words
