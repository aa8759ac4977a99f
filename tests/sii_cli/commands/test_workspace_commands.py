"""`sii diff`, `--restore`, `sii verify`: what they say of a recording's workspace."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recordings.events import Event, HarnessMessage, Snapshot
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from tests.fakes.scripted_model import answer
from tests.sandbox.trees import tree_of
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.shell import Shell
from tests.sii_cli.workspace.test_workspace_snapshots import bash, run

PYTHONPATH = {"PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.fixture
def settings(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    home, workspace = shell.home, shell.workspace
    return Settings(home=home, key_home=home, workspace=workspace, tools=("bash",))


@pytest.fixture
def recorded(shell: Shell, settings: Settings) -> list[Event]:
    (shell.workspace / "f").write_text("one\ntwo\n")
    escape = r"printf 'a\033[31mb\n' > e; sed -i s/two/zwei/ f"
    scripts = [bash(escape), bash("true"), bash("rm f; mkdir d"), answer(".")]
    return asyncio.run(run(settings, *scripts))


def test_diff_prints_a_step_and_the_session(shell: Shell, recorded: list[Event]) -> None:
    step = shell.sii("diff", "last", "--step", "1")
    assert step.returncode == 0
    assert "-two\n+zwei\n" in step.stdout
    assert "\033" not in step.stdout
    missing = shell.sii("diff", "last", "--step", "99")
    assert (missing.returncode, "has no step 99" in missing.stderr) == (2, True)
    nothing = shell.sii("diff", "last", "--step", "2")
    assert nothing.stdout == ""
    assert "Step 2 of " in nothing.stderr
    assert "changed no file of the workspace" in nothing.stderr
    whole = shell.sii("diff")
    assert "-two\n" in whole.stdout
    assert "zwei" not in whole.stdout
    assert "added: d" in whole.stdout


def test_diff_without_the_files_says_what_is_missing(shell: Shell, recorded: list[Event]) -> None:
    (shell.home / "snapshots").rename(shell.home / "elsewhere")
    done = shell.sii("diff", "last")
    assert "The files of that moment are not here" in done.stderr
    assert "`snapshots`" in done.stderr
    assert "step 1" in shell.sii("diff", "last", "--stat").stdout


def test_diff_lists_the_files_step_by_step(shell: Shell, recorded: list[Event]) -> None:
    said = shell.sii("diff", "--stat").stdout.splitlines()
    first = ["start", "step 1", "  e +1 (new)", "  f +1 −1"]
    assert said == [*first, "step 3", "  d/ (new)", "  f −2 (deleted)"]


def test_show_says_what_a_step_changed(shell: Shell, recorded: list[Event]) -> None:
    shown = shell.sii("show", "last").stdout
    assert "± e +1 (new), f +1 −1" in shown


def test_diff_of_a_session_without_snapshots_says_so(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work", SII_SNAPSHOTS="false")
    done = shell.sii("diff", "last")
    assert (done.returncode, "names no snapshot" in done.stderr) == (2, True)


def test_restore_brings_the_workspace_back_and_is_recorded(
    shell: Shell, recorded: list[Event]
) -> None:
    was = tree_of(shell.workspace)
    (shell.workspace / "e").write_text("mine")
    (shell.workspace / "new").write_text("mine")
    done = shell.sii("run", "Go on", "-c", "--restore", script="hello")
    assert done.returncode == 0, done.stderr
    assert "  new −1 (deleted)" in done.stderr
    assert tree_of(shell.workspace) == was
    assert verify(shell.last()).whole
    events = [event.data for event in read_events(shell.last())]
    causes = [data.cause for data in events if isinstance(data, Snapshot)]
    assert causes[-2:] == ["before", "restore"], "what was there before is named too"
    told = [data.reason for data in events if isinstance(data, HarnessMessage)]
    assert set(told) <= {"new_sandbox"}, "of the files nothing differs now"


def test_a_workspace_that_became_a_link_is_not_gone_on_with(
    shell: Shell, recorded: list[Event], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "private").write_text("key")
    shell.workspace.rename(tmp_path / "moved")
    shell.workspace.symlink_to(other)
    for more in ((), ("--restore",)):
        done = shell.sii("run", "Go on", "-c", *more, script="hello")
        assert (done.returncode, f"leads to {other} by now" in done.stderr) == (2, True)
    assert os.listdir(other) == ["private"]
    assert shell.sii("run", "x", "-c", "--workspace", str(other), script="hello").returncode == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", "x", "--restore"], "--restore goes with"),
        (["run", "x", "-c", "--restore", "--workspace", "."], "leave --workspace away"),
    ],
)
def test_restore_misused_touches_nothing(
    shell: Shell, recorded: list[Event], args: list[str], says: str
) -> None:
    (shell.workspace / "mine").touch()
    done = shell.sii(*args, script="hello")
    assert (done.returncode, says in done.stderr) == (2, True)
    assert "mine" in os.listdir(shell.workspace)


def test_verify_says_which_snapshots_are_lost(shell: Shell, recorded: list[Event]) -> None:
    assert "snapshots" not in shell.sii("verify", "last").stdout
    packs = shell.home / "snapshots" / "packs"
    for pack in packs.iterdir():
        os.truncate(pack, pack.stat().st_size // 2)
    done = shell.sii("verify", "last")
    assert done.returncode == 0, "the recording itself is whole"
    assert "of 3 snapshots of the workspace" in done.stdout
    shutil.rmtree(shell.home / "snapshots")
    assert "3 are not whole" in shell.sii("verify", "last").stdout


def test_a_packed_recording_still_knows_its_workspace(shell: Shell, recorded: list[Event]) -> None:
    before = shell.sii("diff", "last").stdout
    assert shell.sii("pack", "last").returncode == 0
    assert shell.sii("diff", "last").stdout == before
    assert "snapshots" not in shell.sii("verify", "last").stdout


MANY = 3000


def kill_amid_restore(shell: Shell) -> None:
    """Lose all files, and kill the `--restore` that is restoring them."""
    for path in shell.workspace.iterdir():
        path.unlink()
    (shell.workspace / "mine").write_text("mine")
    command = shell.argv("-p", "Go on", "-c", "--restore", script="hello")
    process = subprocess.Popen(command, cwd=shell.workspace, env=shell.env | PYTHONPATH)
    while len(os.listdir(shell.workspace)) < 100:
        assert process.poll() is None
    process.kill()
    process.wait()
    assert 100 <= len(os.listdir(shell.workspace)) < MANY, "it was killed in the midst of it"
    assert verify(shell.last()).whole


def test_a_restore_that_was_killed_is_told_and_done_by_the_next(
    shell: Shell, settings: Settings
) -> None:
    asyncio.run(run(settings, bash(f"for n in $(seq {MANY}); do echo $n > f$n; done"), answer(".")))
    was = tree_of(shell.workspace)
    for _ in range(2):
        kill_amid_restore(shell)
    mended = shell.sii("run", "Go on", "-c", "--restore", script="hello")
    assert mended.returncode == 0, mended.stderr
    assert tree_of(shell.workspace) == was
    assert (
        "was interrupted" not in mended.stderr + shell.sii("-p", "x", "-c", script="hello").stderr
    )
    kill_amid_restore(shell)
    told = shell.sii("-p", "Go on", "-c", script="hello")
    assert "was interrupted" in told.stderr
    notes = [e.data.text for e in read_events(shell.last()) if isinstance(e.data, HarnessMessage)]
    assert "The workspace was changed by others" in notes[-1], "the model is told too"
