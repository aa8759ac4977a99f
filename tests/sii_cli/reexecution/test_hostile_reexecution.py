"""`sii replay --execute` of another's recording: its image, backend and set-up are not used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.events import SandboxStart
from recordings.storage.lines import seal
from recordings.storage.log import LOG, read_lines
from recordings.trust.origin import origin_of
from recordings.trust.seal import SEAL
from sandbox.protocol import Limits, Sandbox, SandboxSpec
from sii_cli.config.settings import Settings
from tests.fakes.fake_sandbox import FakeSandbox
from tests.recordings.recording_sessions import FakeSession
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

THEIRS: dict[str, Any] = {
    "backend": "bubblewrap",
    "image": "theirs:1",
    "image_digest": "sha256:" + "a" * 64,
    "setup": ["touch /workspace/owned /workspace/owned-2"],
    "network": [],
    "mounts": {"/mnt/x": "/"},
    "env": ["PATH"],
}
BASH = {"type": "function", "function": {"name": "bash"}}
WIDE = {"memory": 1 << 50, "pids": 0, "disk": 1 << 60, "output": 1 << 40}


def as_theirs(folder: Path) -> None:
    """Rewrite a recording as another home could: its chain whole, its sandbox another."""
    prev, lines = "", []
    for one in read_lines(folder):
        event = orjson.loads(one.text)
        del event["sum"]
        if event["type"] == "sandbox_start":
            limits = event["data"]["limits"] | WIDE
            event["data"] |= THEIRS | {"limits": limits}
        event["prev"] = prev
        line, prev = seal(json.dumps(event, separators=(",", ":")).encode()[:-1])
        lines.append(line + b"\n")
    (folder / LOG).write_bytes(b"".join(lines))
    (folder / SEAL).unlink()


@pytest.fixture
def theirs(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of the demo, as another person's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert shell.sii("demo", script=None, SII_BASE_URL="").returncode == 0
    folder = shell.last()
    as_theirs(folder)
    assert origin_of(folder, shell.home) == "foreign"
    return folder


def _with_sandbox(session: FakeSession) -> None:
    session.note(SandboxStart(backend="docker", sandbox_id="s", start_seconds=0.1), "harness")
    session.end()


class Watched:
    """Sandboxes without an engine; remembers what was asked for."""

    name = "fake"

    def __init__(self) -> None:
        self.specs: list[SandboxSpec] = []
        self.backends: list[str] = []

    def made(self, settings: Settings) -> Watched:
        self.backends.append(settings.sandbox)
        return self

    async def start(self, spec: SandboxSpec) -> Sandbox:
        self.specs.append(spec)
        return FakeSandbox(spec.workspace.parent)


def test_its_sandbox_is_that_of_the_users_settings(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shell.recorded(workspace=str(tmp_path), change=_with_sandbox, tools=[BASH])
    as_theirs(folder)
    watched = Watched()
    monkeypatch.setattr("sii_cli.reexecution.prepare.make_backend", watched.made)
    args = ("replay", folder.name, "--execute", "--workspace", str(shell.workspace))
    done = shell.sii(*args)
    assert "in the image of your settings" in done.stderr
    (spec,) = watched.specs
    mine = Settings()
    assert watched.backends == [mine.sandbox]
    assert (spec.image, spec.setup, spec.mounts, spec.env) == (mine.image, (), (), {})
    assert not spec.allow_net
    for name in WIDE:
        assert 0 < getattr(spec.limits, name) <= getattr(Limits(), name)
    shell.sii(*args, "--image", "mine:2")
    assert watched.specs[-1].image == "mine:2"


@pytest.mark.docker
def test_in_docker_its_image_and_set_up_are_not_used(shell: Shell, theirs: Path) -> None:
    done = shell.sii("replay", theirs.name, "--execute", "--json")
    assert "theirs:1" not in done.stderr
    assert "in the image of your settings" in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    end = orjson.loads(done.stdout.splitlines()[-1])
    assert (end["score"], end["files_differ"]) == (1.0, [])
