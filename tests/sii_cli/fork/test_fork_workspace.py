"""Forks and their files: those of the moment, in a directory of the fork's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.conversation.restore import restore
from recordings.events import Event, HarnessMessage, Observation, Snapshot, UserMessage
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sandbox.trees import tree_of
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.shell import Done, Shell
from tests.sii_cli.workspace.test_workspace_snapshots import bash, run


@pytest.fixture
def settings(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    return Settings(home=shell.home, workspace=shell.workspace, tools=("bash",))


@pytest.fixture
async def parent(settings: Settings) -> list[Event]:
    """A recording of three steps, of which each writes a number to `f` and a file of its own."""
    steps = [bash(f"echo {number} > f; echo {number} > f{number}") for number in (1, 2, 3)]
    return await run(settings, *steps, answer("Done."))


def observation(events: list[Event], number: int) -> int:
    return [event.seq for event in events if isinstance(event.data, Observation)][number]


def forked(shell: Shell, done: Done) -> Path:
    assert done.returncode == 0, done.stderr
    child = shell.store.root / done.stdout.strip()
    assert verify(child).whole
    return child


async def test_a_fork_has_the_files_of_its_moment_and_the_original_is_untouched(
    shell: Shell, parent: list[Event]
) -> None:
    was = tree_of(shell.workspace)
    done = shell.sii("fork", "last", "--at", str(observation(parent, 1)))
    child = forked(shell, done)
    where = Path(restore(child).workspace)
    assert where == shell.home / "forks" / child.name / "workspace"
    assert "files are as they were then" in done.stderr
    assert sorted(os.listdir(where)) == ["f", "f1", "f2"]
    assert (where / "f").read_text() == "2\n"
    assert tree_of(shell.workspace) == was
    assert f'"id": "{child.name}"' in shell.sii("list", "--status", "forked", "--json").stdout


async def test_a_fork_goes_on_in_its_own_directory_and_is_told_of_no_change(
    shell: Shell, settings: Settings, parent: list[Event]
) -> None:
    was = tree_of(shell.workspace)
    child = forked(shell, shell.sii("fork", "last", "--at", str(observation(parent, 1))))
    where = Path(restore(child).workspace)
    there = Settings(home=settings.home, workspace=where, tools=("bash",))
    events = await run(there, bash("echo mine > f"), answer("."), resumed=child)
    notes = [event.data for event in events if isinstance(event.data, HarnessMessage)]
    assert [note.reason for note in notes] == ["new_sandbox"]
    assert (where / "f").read_text() == "mine\n"
    assert tree_of(shell.workspace) == was
    last = [event.data for event in events if isinstance(event.data, Snapshot)][-1]
    assert [change.path for change in last.changes] == ["f"]


async def test_the_start_and_a_step_that_changed_nothing_can_be_forked(
    shell: Shell, parent: list[Event]
) -> None:
    first = next(event.seq for event in parent if isinstance(event.data, UserMessage))
    child = forked(shell, shell.sii("fork", "last", "--at", str(first)))
    assert os.listdir(restore(child).workspace) == []


async def test_another_first_message_is_worked_on_with_the_files_that_the_first_one_found(
    shell: Shell, parent: list[Event]
) -> None:
    was = tree_of(shell.workspace)
    first = next(event.seq for event in parent if isinstance(event.data, UserMessage))
    (shell.workspace.parent / "words").write_text("Do it better.")
    words = ("--replace", "../words", "--speaker", "ann")
    child = forked(shell, shell.sii("fork", "last", "--at", str(first), *words))
    where = Path(restore(child).workspace)
    assert where == shell.home / "forks" / child.name / "workspace"
    assert os.listdir(where) == []
    assert tree_of(shell.workspace) == was


async def test_a_directory_can_be_given(shell: Shell, parent: list[Event]) -> None:
    at = str(observation(parent, 0))
    child = forked(shell, shell.sii("fork", "last", "--at", at, "--workspace", "../new"))
    assert restore(child).workspace == str(shell.workspace.parent / "new")
    assert sorted(os.listdir(shell.workspace.parent / "new")) == ["f", "f1"]
    was = tree_of(shell.workspace)
    done = shell.sii("fork", parent[0].session, "--at", at, "--workspace", ".")
    forked(shell, done)
    assert "files are as they are now" in done.stderr
    assert tree_of(shell.workspace) == was


async def test_a_lost_store_is_told_and_leaves_nothing(shell: Shell, parent: list[Event]) -> None:
    (shell.home / "snapshots").rename(shell.home / "elsewhere")
    done = shell.sii("fork", "last", "--at", str(observation(parent, 1)))
    assert done.returncode == 2
    assert "is lost" in done.stderr
    assert "--workspace" in done.stderr
    assert shell.store.ids() == [parent[0].session]


async def test_a_moment_within_a_step_says_what_its_files_are(
    shell: Shell, settings: Settings
) -> None:
    commands = ("echo a > a", "echo b > b")
    events = await run(settings, bash("echo 0 > z"), bash(*commands), answer("."))
    done = shell.sii("fork", "last", "--at", str(observation(events, 1)))
    child = forked(shell, done)
    assert "as they were after step 1" in done.stderr
    assert os.listdir(restore(child).workspace) == ["z"]


async def test_a_fork_of_a_fork_can_undo_what_its_past_did(
    shell: Shell, settings: Settings, parent: list[Event]
) -> None:
    child = forked(shell, shell.sii("fork", "last", "--at", str(observation(parent, 2))))
    where = Path(restore(child).workspace)
    there = Settings(home=settings.home, workspace=where, tools=("bash",))
    session = await Session.open(
        there, mode="headless", model=ScriptedModel(), resumed=ResumedRecording(child)
    )
    await session.undoing.undo(2)
    await session.close()
    assert sorted(os.listdir(where)) == ["f", "f1"]
