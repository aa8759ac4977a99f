"""A running sandbox of every backend, each over a workspace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.conformance.fixtures import Start, needs, sandbox, start, workspace
from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Sandbox, SandboxBackend, SandboxSpec

IMAGE = os.environ.get("SII_TEST_IMAGE", "sii-sandbox:latest")

__all__ = [
    "IMAGE",
    "Start",
    "backend",
    "containers_of",
    "needs",
    "sandbox",
    "spec",
    "start",
    "workspace",
]


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"])
def backend(request: pytest.FixtureRequest) -> SandboxBackend:
    if request.param == "docker":
        return DockerBackend()
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    return BubblewrapBackend()


@pytest.fixture
def spec(workspace: Path) -> SandboxSpec:
    return SandboxSpec(workspace=workspace, image=IMAGE)


def containers_of(sandbox: Sandbox) -> str:
    """What the engine still knows of a sandbox's container."""
    return subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"name={sandbox.info.sandbox_id}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
