"""Undo: the workspace goes back before a round or some steps, and the model is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.events import HarnessMessage, Snapshot
from recordings.storage.log import read_events
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.prompt.commands.going_back import UNDO
from sii_cli.prompt.commands.registry import make_commands
from sii_cli.session import session as session_module
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.scripted_model import Script, ScriptedModel, answer
from tests.sandbox.trees import tree_of
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.shell import Shell
from tests.sii_cli.workspace.test_workspace_snapshots import bash


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    (tmp_path / "workspace").mkdir()
    return Settings(home=tmp_path / "home", workspace=tmp_path / "workspace", tools=("bash",))


async def open_session(
    settings: Settings, *scripts: Script, resumed: Path | None = None
) -> tuple[Session, ScriptedModel]:
    model = ScriptedModel(*scripts)
    return await Session.open(
        settings,
        mode="headless",
        model=model,
        resumed=ResumedRecording(resumed) if resumed else None,
    ), model


async def say(session: Session, text: str) -> None:
    async for _ in session.send(text):
        pass


def write(number: int) -> Script:
    return bash(f"echo {number} > f; echo {number} > f{number}")


ROUNDS = [write(1), write(2), answer("."), write(4), answer(".")]


async def test_the_last_round_is_undone_and_then_the_one_before(settings: Settings) -> None:
    (settings.workspace / "f").write_text("0\n")
    was = tree_of(settings.workspace)
    session, _ = await open_session(settings, *ROUNDS)
    await say(session, "first")
    first = tree_of(settings.workspace)
    await say(session, "second")
    undone = await session.undoing.undo()
    assert (undone.what, tree_of(settings.workspace)) == ("before round 2", first)
    assert undone.back is not None
    assert {c.path: c.kind for c in undone.back.event.changes} == {"f": "modified", "f4": "deleted"}
    assert (await session.undoing.undo()).what == "before round 1"
    assert tree_of(settings.workspace) == was
    with pytest.raises(UsageError, match="no round to undo"):
        await session.undoing.undo()
    await session.close()


async def test_steps_are_undone_by_number(settings: Settings) -> None:
    session, _ = await open_session(settings, *ROUNDS)
    await say(session, "first")
    await say(session, "second")
    assert (await session.undoing.undo(2)).what == "before step 4"  # step 5 was the answer
    assert sorted(os.listdir(settings.workspace)) == ["f", "f1", "f2"]
    await session.undoing.undo(2)  # the answer of the first round, and its second step
    assert sorted(os.listdir(settings.workspace)) == ["f", "f1"]
    with pytest.raises(UsageError, match="There are 1 steps"):
        await session.undoing.undo(2)
    await session.close()


async def test_the_model_is_told_with_the_next_message_and_by_the_harness(
    settings: Settings,
) -> None:
    session, model = await open_session(settings, write(1), answer("."), answer("I see."))
    await say(session, "first")
    await session.undoing.undo()
    await say(session, "and now?")
    await session.close()
    *_, told, asked = model.requests[-1]
    assert b'"system"' in told
    assert b"brought the files" in told
    assert b"deleted: f1" in told
    assert b"and now?" in asked
    events = list(read_events(session.folder or Path()))
    (note,) = [event for event in events if isinstance(event.data, HarnessMessage)]
    assert note.origin == "harness"
    causes = [event.data.cause for event in events if isinstance(event.data, Snapshot)]
    assert causes == ["start", "step", "before", "undo"]


async def test_what_was_there_before_an_undo_is_named_by_the_recording(settings: Settings) -> None:
    session, _ = await open_session(settings, write(1), answer("."))
    await say(session, "first")
    (settings.workspace / "mine").write_text("my own work\n")
    await session.undoing.undo()
    await session.close()
    assert (settings.workspace / "mine").read_text() == "my own work\n"
    kept = [e.data for e in read_events(session.folder or Path()) if isinstance(e.data, Snapshot)]
    assert [(s.cause, [c.path for c in s.changes]) for s in kept][-3:] == [
        ("round", ["mine"]),
        ("before", []),
        ("undo", ["f", "f1"]),
    ]


async def test_an_undo_leaves_what_others_changed_since(settings: Settings) -> None:
    session, _ = await open_session(settings, write(1), answer("."))
    await say(session, "first")
    (settings.workspace / "f").write_text("mine now\n")
    plan = await session.undoing.plan()
    assert [change.path for change in plan.differences.changes] == ["f1"]
    assert plan.differences.left == ("f",)
    assert "-1" in plan.differences.diff
    await session.undoing.run(plan)
    assert sorted(os.listdir(settings.workspace)) == ["f"]
    assert (settings.workspace / "f").read_text() == "mine now\n"
    await session.close()


async def test_undos_are_taken_back_in_reverse_until_a_round_begins(settings: Settings) -> None:
    session, _ = await open_session(settings, *ROUNDS, answer("."))
    await say(session, "first")
    first = tree_of(settings.workspace)
    await say(session, "second")
    second = tree_of(settings.workspace)
    await session.undoing.undo()
    await session.undoing.undo()
    assert os.listdir(settings.workspace) == []
    await session.undoing.run(await session.undoing.plan_redo())
    assert tree_of(settings.workspace) == first
    await session.undoing.run(await session.undoing.plan_redo())
    assert tree_of(settings.workspace) == second
    with pytest.raises(UsageError, match="no undo to take back"):
        await session.undoing.plan_redo()
    await session.undoing.undo()
    await say(session, "third")
    with pytest.raises(UsageError, match="no undo to take back"):
        await session.undoing.plan_redo()
    await session.close()


async def test_an_undo_never_writes_through_links(settings: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config").write_text("theirs")
    (settings.workspace / "d").mkdir()
    (settings.workspace / "d" / "config").write_text("ours")
    command = f"rm -r d; ln -s {outside} d; ln {outside}/config hard"
    session, _ = await open_session(settings, bash(command), answer("."))
    await say(session, "first")
    await session.undoing.undo()
    await session.close()
    assert (settings.workspace / "d" / "config").read_text() == "ours"
    assert not (settings.workspace / "d").is_symlink()
    assert (outside / "config").read_text() == "theirs"
    assert os.listdir(outside) == ["config"]


async def test_undo_after_going_on_with_a_recording(settings: Settings) -> None:
    session, _ = await open_session(settings, write(1), answer("."), write(3), answer("."))
    await say(session, "first")
    await say(session, "second")
    await session.close()
    again, _ = await open_session(settings, resumed=session.folder)
    await again.undoing.undo()
    assert sorted(os.listdir(settings.workspace)) == ["f", "f1"]
    await again.undoing.undo()
    assert os.listdir(settings.workspace) == []
    await again.close()


async def test_without_snapshots_or_work_undo_says_why(settings: Settings) -> None:
    session, _ = await open_session(settings)
    with pytest.raises(UsageError, match="Nothing was done yet"):
        await session.undoing.undo()
    await session.close()
    off = Settings(home=settings.home, workspace=settings.workspace, snapshots=False)
    session, _ = await open_session(off)
    with pytest.raises(UsageError, match="No snapshots are taken"):
        await session.undoing.undo()
    await session.close()


async def test_a_resumed_session_tells_the_model_what_others_changed(settings: Settings) -> None:
    session, _ = await open_session(settings, write(1), answer("."))
    await say(session, "first")
    await session.close()
    (settings.workspace / "f").write_text("theirs\n")
    again, model = await open_session(settings, answer("."), resumed=session.folder)
    await say(again, "go on")
    await again.close()
    *_, told, new_sandbox, asked = model.requests[-1]
    assert b"changed by others" in told
    assert b"a new one has taken its place" in new_sandbox
    assert b"modified: f)" in told
    assert b"go on" in asked
    last, model = await open_session(settings, answer("."), resumed=session.folder)
    await say(last, "go on")
    await last.close()
    assert b"changed by others" not in model.requests[-1][-2], "told once"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/undo", ""),
        ("/undo 3", "3"),
        ("/u 12", "12"),
        ("/undo x", None),
        ("/undo -1", None),
        ("/u x", None),
        ("/etc/hosts", None),
        ("/", None),
    ],
)
def test_the_prompt_reads_a_number_where_one_is_accepted(line: str, words: str | None) -> None:
    given = make_commands({}).find(line)
    assert (given and (given.command, given.words)) == (None if words is None else (UNDO, words))


def test_undo_at_the_prompt_lists_what_it_changed(shell: Shell) -> None:
    terminal = shell.terminal(script="undo")
    terminal.wait_for("sandbox ready")
    terminal.send("Do it\r")
    terminal.wait_for("Made.")
    terminal.wait_for("made.txt +1 (new)")
    terminal.send("/undo\r")
    terminal.wait_for("made.txt −1 (deleted)")
    terminal.wait_for("Restore these files?")
    terminal.send("\r")
    terminal.wait_for("Restore these files?", gone=True)
    assert (shell.workspace / "made.txt").exists()
    terminal.send("/undo\r")
    terminal.wait_for("Restore these files?")
    terminal.send("y")
    terminal.wait_for("The workspace is as it was before round 1. /redo takes it back.")
    assert not (shell.workspace / "made.txt").exists()
    terminal.send("/undo\r")
    terminal.wait_for("There is no round to undo.")
    terminal.send("/redo\r")
    terminal.wait_for("made.txt +1 (new)")
    terminal.wait_for("Restore these files?")
    terminal.send("y")
    terminal.wait_for("The workspace is as it was before the undo.")
    assert "before the undo. /redo" not in terminal.everything()
    assert (shell.workspace / "made.txt").read_text() == "new\n"
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
