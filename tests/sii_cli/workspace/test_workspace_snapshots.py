"""The workspace of a session: kept after every step that changed it, whatever changed it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from recordings.events import (
    Event,
    ModelRequest,
    Observation,
    SessionEnd,
    Snapshot,
    SnapshotFailed,
    ToolCall,
    UserMessage,
)
from recordings.storage.log import read_events
from recordings.verify import verify
from sandbox.snapshots import SnapshotError, SnapshotNotFound, Snapshots
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from sii_cli.workspace.history import materialise
from tests.fakes.scripted_model import Script, ScriptedModel, answer, calls
from tests.sandbox.trees import tree_of
from tests.sii_cli.scripted_sii import WorkspaceBackend


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",))


def bash(*commands: str) -> Script:
    return calls(*(("bash", json.dumps({"command": command})) for command in commands))


async def run(
    settings: Settings, *scripts: Script, resumed: Path | None = None, says: str = "go"
) -> list[Event]:
    """Run one round of a session to its end; return what was recorded."""
    model = ScriptedModel(*scripts)
    session = await Session.open(
        settings,
        mode="headless",
        model=model,
        resumed=ResumedRecording(resumed) if resumed else None,
    )
    async for _ in session.send(says):
        pass
    await session.close()
    assert session.folder is not None
    assert verify(session.folder).whole
    return list(read_events(session.folder))


def snapshots(events: list[Event]) -> list[Snapshot]:
    return [event.data for event in events if isinstance(event.data, Snapshot)]


def folder_of(settings: Settings) -> Path:
    (folder,) = (path for path in (settings.home / "recordings").iterdir() if path.is_dir())
    return folder


def seq_of(events: list[Event], kind: type[Any], number: int = 0) -> int:
    return [event.seq for event in events if isinstance(event.data, kind)][number]


async def test_a_step_that_changed_something_is_kept_with_what_changed(settings: Settings) -> None:
    (settings.workspace / "calc.py").write_text("one\ntwo\nthree\n")
    (settings.workspace / "old").write_text("x\n")
    events = await run(
        settings,
        bash(
            "sed -i s/two/zwei/ calc.py",
            "rm old; printf 'a\\0b' > blob; mkdir -p lib && echo hi > lib/m",
        ),
        answer("Done."),
    )
    start, step = snapshots(events)
    assert (start.cause, start.step, start.changes) == ("start", 0, [])
    assert ".env" in start.excluded
    assert (step.cause, step.step) == ("step", 1)
    told = {c.path: (c.kind, c.added, c.removed, c.binary) for c in step.changes}
    assert told == {
        "blob": ("added", None, None, True),
        "calc.py": ("modified", 1, 1, False),
        "lib/": ("added", None, None, False),
        "lib/m": ("added", 1, 0, False),
        "old": ("deleted", 0, 1, False),
    }


async def test_a_step_that_changed_nothing_leaves_no_event(settings: Settings) -> None:
    events = await run(settings, bash("ls"), bash("true"), bash("echo a > a"), answer("Done."))
    assert [(s.cause, s.step) for s in snapshots(events)] == [("start", 0), ("step", 3)]


async def test_every_step_has_its_own_tree_before_the_next_call_runs(settings: Settings) -> None:
    steps = [bash(f"echo {number} > f; echo {number} > f{number}") for number in range(6)]
    events = await run(settings, *steps, answer("Done."))
    kept: list[int] = []
    for event in events:
        match event.data:
            case ToolCall(step=step):
                assert kept == list(range(step)), "the snapshot of the step before is there"
            case Snapshot(step=step):
                kept.append(step)
    assert kept == list(range(7))
    for number in range(6):
        target = settings.home / "out" / str(number)
        at, _ = materialise(
            folder_of(settings), seq_of(events, Observation, number), target, settings.home
        )
        assert at.exact
        assert (target / "f").read_text() == f"{number}\n"
        assert len(list(target.iterdir())) == number + 2


async def test_the_model_is_asked_while_the_snapshot_is_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    take = Snapshots.snapshot

    async def slow(self: Snapshots) -> Any:
        taken = await take(self)
        if (settings.workspace / "f").exists():
            await asyncio.wait_for(asked.wait(), 20)
        return taken

    class Asked(ScriptedModel):
        async def stream(self, request: Any) -> Any:
            if self.requests:
                asked.set()
            async for part in super().stream(request):
                yield part

    monkeypatch.setattr(Snapshots, "snapshot", slow)
    model = Asked(bash("echo 1 > f"), bash("echo 2 > f"), answer("Done."))
    session = await Session.open(settings, mode="headless", model=model)
    async for _ in session.send("go"):
        pass
    await session.close()
    events = list(read_events(folder_of(settings)))
    kept = [event.seq for event in events if isinstance(event.data, Snapshot)]
    assert len(kept) == 3
    assert seq_of(events, ModelRequest, 1) < kept[1] < seq_of(events, ToolCall, 1)


async def test_secrets_and_our_own_folder_are_left_out(settings: Settings, tmp_path: Path) -> None:
    settings = Settings(
        home=settings.workspace / ".data",
        workspace=settings.workspace,
        tools=("bash",),
        snapshot_exclude=(".env", "private/*"),
    )
    for name in (".env", "kept", "lib/.env", "private/key"):
        (settings.workspace / name).parent.mkdir(exist_ok=True)
        (settings.workspace / name).write_text("top secret\n")
    events = await run(settings, bash("echo more >> .env; echo more >> kept"), answer("Done."))
    start, step = snapshots(events)
    assert start.excluded == [".env", "private/*"]
    assert [change.path for change in step.changes] == ["kept"]
    target = tmp_path / "out"
    materialise(folder_of(settings), events[-1].seq, target, settings.home)
    assert sorted(os.listdir(target)) == ["kept", "lib", "private"]
    assert os.listdir(target / "lib") == os.listdir(target / "private") == []


async def test_links_modes_deletions_nested_repositories_and_large_files(
    settings: Settings, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    command = (
        "mkdir -p sub/.git/objects && echo ref > sub/.git/HEAD && echo '*' > sub/.gitignore && "
        f"echo x > sub/ignored && ln -s {outside} away && ln -s sub/ignored near && "
        "printf '#!/bin/sh\\n' > tool && chmod 750 tool && truncate -s 70M huge && mkfifo pipe && "
        "head -c 3000000 /dev/urandom > middle"
    )
    events = await run(
        settings, bash(command), bash("rm -r sub; rm away; chmod 600 tool"), answer(".")
    )
    _, made, gone = snapshots(events)
    assert made.not_kept == ["huge: too large", "pipe: fifo"]
    assert gone.not_kept == [], "told once"
    assert {c.path: c.kind for c in gone.changes}["tool"] == "mode"
    target = tmp_path / "out"
    materialise(folder_of(settings), seq_of(events, Observation), target, settings.home)
    tree = tree_of(target)
    assert (target / "sub/.git/HEAD").read_text() == "ref\n"
    assert (target / "tool").stat().st_mode & 0o777 == 0o750
    assert os.readlink(target / "away") == str(outside)
    assert (target / "middle").read_bytes() == (settings.workspace / "middle").read_bytes()
    assert not (target / "huge").exists()
    assert tree
    assert (outside / "file").read_text() == "not ours"


async def test_what_a_stopped_call_had_changed_is_kept(settings: Settings) -> None:
    session = await Session.open(
        settings, mode="headless", model=ScriptedModel(bash("echo half > f; echo begun; sleep 60"))
    )
    async for item in session.send("go"):
        if getattr(item, "text", "") and "begun" in str(item):
            session.interrupt()
    await session.close()
    events = list(read_events(folder_of(settings)))
    assert [change.path for change in snapshots(events)[-1].changes] == ["f"]
    assert isinstance(events[-1].data, SessionEnd)


async def test_a_failure_is_told_once_and_ends_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Snapshots) -> Any:
        raise SnapshotError("The disk is full: free some space.")

    monkeypatch.setattr(Snapshots, "snapshot", fail)
    events = await run(settings, bash("echo 1 > f"), bash("echo 2 > f"), answer("Done."))
    failed = [event.data for event in events if isinstance(event.data, SnapshotFailed)]
    assert [data.reason for data in failed] == ["The disk is full: free some space."]
    assert isinstance(events[-1].data, SessionEnd)
    assert events[-1].data.status == "done"


async def test_a_fault_of_ours_ends_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Snapshots) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Snapshots, "snapshot", fail)
    events = await run(settings, bash("echo 1 > f"), answer("Done."))
    (failed,) = [event.data for event in events if isinstance(event.data, SnapshotFailed)]
    assert failed.reason == "ZeroDivisionError: oops"


async def test_snapshots_can_be_switched_off(settings: Settings, tmp_path: Path) -> None:
    settings = Settings(
        home=settings.home, workspace=settings.workspace, tools=("bash",), snapshots=False
    )
    events = await run(settings, bash("echo 1 > f"), answer("Done."))
    assert snapshots(events) == []
    assert not (settings.home / "snapshots").exists()
    with pytest.raises(SnapshotNotFound, match="names no snapshot"):
        materialise(folder_of(settings), 5, tmp_path / "out", settings.home)


async def test_what_a_human_changes_between_rounds_is_no_step_of_the_model(
    settings: Settings,
) -> None:
    session = await Session.open(
        settings,
        mode="headless",
        model=ScriptedModel(bash("echo 1 > f"), answer("."), bash("echo 2 > g"), answer(".")),
    )
    async for _ in session.send("go"):
        pass
    (settings.workspace / "f").write_text("mine\n")
    async for _ in session.send("go on"):
        pass
    await session.close()
    told = [
        (s.cause, [c.path for c in s.changes])
        for s in snapshots(list(read_events(folder_of(settings))))
    ]
    assert told == [("start", []), ("step", ["f"]), ("round", ["f"]), ("step", ["g"])]


async def test_two_sessions_share_what_they_have_in_common(settings: Settings) -> None:
    (settings.workspace / "big").write_bytes(os.urandom(200_000))
    await run(settings, bash("echo 1 > a"), answer("."))
    before = size_of(settings.home / "snapshots" / "packs")
    await run(settings, bash("echo 2 > a"), answer("."))
    assert size_of(settings.home / "snapshots" / "packs") - before < 5_000


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def test_the_first_message_comes_before_the_first_snapshot(settings: Settings) -> None:
    events = await run(settings, answer("Hello."))
    assert seq_of(events, UserMessage) < seq_of(events, Snapshot) < seq_of(events, SessionEnd)


async def test_a_home_directory_is_not_kept_and_that_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(settings.workspace))
    events = await run(settings, bash("echo 1 > f"), answer("."))
    (failed,) = [event.data for event in events if isinstance(event.data, SnapshotFailed)]
    assert "work in the directory of a project" in failed.reason
    assert snapshots(events) == []
