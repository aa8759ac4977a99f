"""Records a session with scripted turns, and runs its calls again over a copy of its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recordings.storage.log import read_events
from sandbox.protocol import Sandbox, SandboxBackend, SandboxSpec
from sii_cli.assembly import make_spec
from sii_cli.config.settings import Settings
from sii_cli.reexecution.engine import Reexecution
from sii_cli.reexecution.recorded import recorded_calls, recorded_environment
from sii_cli.reexecution.report import CallReport
from sii_cli.reexecution.rules import load_rules
from sii_cli.reexecution.workspace_files import FilesReport
from sii_cli.session.session import Session
from sii_cli.workspace.history import snapshot_store
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.scripted_model import Script, ScriptedModel, calls

TOOLS = ("bash", "python", "read_file", "write_file", "edit_file", "web_search", "todo", "jobs")


class FakeBackend:
    """Sandboxes without an engine, over the workspace that they are given."""

    name = "fake"

    async def start(self, spec: SandboxSpec) -> Sandbox:
        root = spec.workspace.parent
        (root / "state").unlink(missing_ok=True)  # a new sandbox has a new shell
        return FakeSandbox(root)


def bash(command: str, **more: Any) -> Script:
    return calls(("bash", json.dumps({"command": command, **more})))


def python(code: str) -> Script:
    return calls(("python", json.dumps({"code": code})))


async def record(
    place: Path,
    *scripts: Script,
    backend: SandboxBackend | None = None,
    begin: Path | None = None,
    between: Callable[[], None] | None = None,
) -> Path:
    """Record one round; return the recording's folder. `begin` holds the files at the start.

    With `between`, that is called after it and a second round follows.
    """
    workspace = place / "workspace"
    shutil.copytree(begin or _empty(place), workspace)
    settings = Settings(home=place / "home", workspace=workspace, tools=TOOLS, memory=512 << 20)
    session = Session(
        settings=settings,
        mode="headless",
        model=ScriptedModel(*scripts),
        backend=backend or FakeBackend(),
        spec=make_spec(settings),
    )
    session.begin()
    try:
        async for _ in session.send("Do it"):
            pass
        if between is not None:
            between()
            async for _ in session.send("Again"):
                pass
    finally:
        await session.close()
    assert session.folder is not None
    return session.folder


async def run_again(
    folder: Path,
    place: Path,
    *,
    backend: SandboxBackend | None = None,
    begin: Path | None = None,
    until: int | None = None,
    rules: Sequence[Path] = (),
) -> list[CallReport]:
    """Run a recording's calls again and return the reports of the calls."""
    reports = await run_again_with_files(
        folder, place, backend=backend, begin=begin, until=until, rules=rules
    )
    return [report for report in reports if isinstance(report, CallReport)]


async def run_again_with_files(
    folder: Path,
    place: Path,
    *,
    backend: SandboxBackend | None = None,
    begin: Path | None = None,
    until: int | None = None,
    rules: Sequence[Path] = (),
) -> list[CallReport | FilesReport]:
    """Run a recording's calls again and return the reports of calls and of files."""
    workspace = place / "again" / "workspace"
    shutil.copytree(begin or _empty(place), workspace)
    environment = recorded_environment(folder)
    spec = SandboxSpec(workspace=workspace)
    again = Reexecution(
        folder=folder,
        backend=backend or FakeBackend(),
        spec=spec,
        tools=[tool["function"]["name"] for tool in environment.start.tools],
        rules=load_rules(rules),
        snapshots=snapshot_store(folder.parent.parent),
    )
    return [report async for report in again.run(recorded_calls(read_events(folder), until))]


def _empty(place: Path) -> Path:
    folder = place / "empty"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
