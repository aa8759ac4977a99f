"""`sii prune`: what no recording needs any more goes, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.events import Observation, Snapshot, UserMessage
from recordings.recorder import Recorder
from recordings.storage.log import LOG, read_events
from recordings.store.store import RecordingStore
from sii_cli.config.settings import Settings
from sii_cli.session import session as session_module
from sii_cli.session.session import Session
from sii_cli.workspace.history import materialise, snapshot_store
from sii_cli.workspace.prune import prune
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sandbox.trees import Tree, tree_of
from tests.sii_cli.scripted_sii import WorkspaceBackend
from tests.sii_cli.shell import Shell
from tests.sii_cli.workspace.test_workspace_snapshots import bash, run

SAID = "Done: hunter2-hunter2."


@pytest.fixture
def settings(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(session_module, "make_backend", lambda settings: WorkspaceBackend())
    return Settings(home=shell.home, workspace=shell.workspace, tools=("bash",))


def work(settings: Settings, name: str) -> Path:
    """Record a session of two steps that write files of its own; return the recording's folder."""
    before = folders(settings)
    commands = [f"rm -f *; echo {name} {number} > {name}{number}" for number in (1, 2)]
    asyncio.run(run(settings, *map(bash, commands), answer(SAID)))
    (folder,) = folders(settings) - before
    return folder


def folders(settings: Settings) -> set[Path]:
    root = settings.home / "recordings"
    return {path for path in root.iterdir() if path.is_dir()} if root.exists() else set()


def trees(shell: Shell, recording: Path, target: Path, home: Path | None = None) -> dict[int, Tree]:
    """Every moment of a recording's workspace, written from the store."""
    written = {}
    for event in read_events(recording):
        if isinstance(event.data, Snapshot):
            folder = target / f"{recording.name}-{event.seq}"
            at, restored = materialise(recording, event.seq, folder, home or shell.home)
            assert (at.exact, restored.missing) == (True, ())
            written[event.seq] = tree_of(folder)
            shutil.rmtree(folder)
    return written


def freed(shell: Shell, *options: str) -> dict[str, object]:
    assert shell.key  # the home was used before: nothing is said of a first start
    done = shell.sii("prune", "--json", *options)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == (1 if said["kept"] else 0)
    return said  # type: ignore[no-any-return]


def test_snapshots_of_deleted_recordings_go_and_all_others_stay(
    shell: Shell, settings: Settings, tmp_path: Path
) -> None:
    first, second, third = (work(settings, name) for name in ("a", "b", "c"))
    was = {recording: trees(shell, recording, tmp_path) for recording in (first, third)}
    shell.sii("prune")
    assert shell.sii("prune").stdout == "Nothing is left over.\n"
    shutil.rmtree(second)
    assert shell.sii("pack", third.name).returncode == 0
    would = shell.sii("prune", "--dry-run").stdout
    assert would.startswith("Would free about ")
    done = shell.sii("prune")
    assert done.stdout.split(": ")[1] == would.split(": ")[1]
    assert "contents of snapshots" in done.stdout
    for recording, then in was.items():
        assert trees(shell, recording, tmp_path) == then
    assert shell.sii("prune").stdout == "Nothing is left over.\n"


def test_a_redacted_recording_and_an_orphaned_fork_keep_theirs(
    shell: Shell, settings: Settings, tmp_path: Path
) -> None:
    parent = work(settings, "a")
    events = list(read_events(parent))
    at = next(event.seq for event in events if isinstance(event.data, Observation))
    child = shell.store.root / shell.sii("fork", parent.name, "--at", str(at)).stdout.strip()
    other = work(settings, "b")
    options = ["--yes", "--speaker", "ann", "--variable", "WORD"]
    assert shell.sii("redact", other.name, *options, WORD="hunter2-hunter2").returncode == 0
    assert SAID not in (other / LOG).read_text()
    was = {recording: trees(shell, recording, tmp_path) for recording in (child, other)}
    shutil.rmtree(parent)
    assert freed(shell)["forks"] == []
    for recording, then in was.items():
        assert trees(shell, recording, tmp_path) == then
    workspace = shell.home / "forks" / child.name
    deep = workspace / "workspace/deep"
    subprocess.run(["mkdir", "-p", deep / "/".join("d" * 600)], check=True)
    deep.chmod(0)
    shutil.rmtree(child)
    assert freed(shell, "--dry-run")["forks"] == [child.name]
    assert workspace.exists()
    assert freed(shell)["forks"] == [child.name]
    assert not workspace.exists()


def test_a_forks_files_stay_while_a_recording_works_in_them(
    shell: Shell, settings: Settings
) -> None:
    parent = work(settings, "a")
    at = next(e.seq for e in read_events(parent) if isinstance(e.data, UserMessage))
    child = shell.store.root / shell.sii("fork", parent.name, "--at", str(at)).stdout.strip()
    where = shell.home / "forks" / child.name / "workspace"
    work(Settings(home=shell.home, workspace=where, tools=("bash",)), "b")
    shutil.rmtree(child)
    assert freed(shell)["forks"] == []
    assert where.exists()


def test_a_fork_that_is_made_meanwhile_stays(
    shell: Shell, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the recordings are listed, one more fork is made right afterwards."""
    work(settings, "a")
    (shell.home / "forks").mkdir()
    names, made = RecordingStore.names, []

    def then_forked(store: RecordingStore) -> Sequence[str]:
        found = names(store)
        name, _ = store.create_folder()
        made.append(shell.home / "forks" / name)
        (made[-1] / "workspace").mkdir(parents=True)
        return found

    monkeypatch.setattr(RecordingStore, "names", then_forked)
    assert prune(shell.home, dry_run=False).forks == []
    assert made
    assert all(fork.is_dir() for fork in made)


def test_a_recording_of_no_workspace_that_can_be_keeps_no_forks(
    shell: Shell, settings: Settings
) -> None:
    start = next(read_events(work(settings, "a"))).data
    name, folder = shell.store.create_folder()
    with closing(Recorder.create(folder, name)) as recorder:
        recorder.record(start.model_copy(update={"workspace": "/nowhere\0/at/all"}), "harness")
    (shell.home / "forks/gone").mkdir(parents=True)
    assert freed(shell)["forks"] == ["gone"]


def test_a_recording_that_cannot_be_looked_at_keeps_everything(
    shell: Shell, settings: Settings, tmp_path: Path
) -> None:
    """As one that another user made: root could, so here its log leads in a circle."""
    closed, gone = work(settings, "a"), work(settings, "b")
    shutil.rmtree(gone)
    (closed / LOG).rename(tmp_path / LOG)
    (closed / LOG).symlink_to(LOG)
    done = shell.sii("prune")
    assert (done.returncode, done.stdout) == (1, "Nothing is left over.\n")
    assert f"the recording {closed.name} cannot be read whole" in done.stderr
    assert closed.name in shell.sii("show", "last").stderr
    (tmp_path / LOG).rename(closed / LOG)
    assert shell.sii("prune").returncode == 0
    assert len(trees(shell, closed, tmp_path)) > 1


@pytest.mark.parametrize("damage", ["changed", "cut out"])
def test_a_damaged_recording_keeps_everything_and_is_named(
    shell: Shell, settings: Settings, damage: str
) -> None:
    damaged, gone = work(settings, "a"), work(settings, "b")
    shutil.rmtree(gone)
    lines = (damaged / LOG).read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"type":"snapshot"' in line)
    lines[number] = lines[number].replace(b'"step"', b'"stop"') if damage == "changed" else b""
    (damaged / LOG).write_bytes(b"".join(lines))
    assert shell.sii("prune", "--dry-run").stdout == "Nothing is left over.\n"
    done = shell.sii("prune")
    assert (done.returncode, done.stdout) == (1, "Nothing is left over.\n")
    assert f"the recording {damaged.name} cannot be read whole" in done.stderr
    shutil.rmtree(damaged)
    assert shell.sii("prune").returncode == 0
    assert shell.sii("prune").stdout == "Nothing is left over.\n"


async def test_beside_a_running_session(shell: Shell, settings: Settings, tmp_path: Path) -> None:
    """Before its first message, between rounds, and after a round: all it names is there."""
    (shell.workspace / "f").write_text("mine\n")
    model = ScriptedModel(*map(bash, ["echo 1 > f", "echo mine > f"]), answer("."), answer("."))
    session = await Session.open(settings, mode="headless", model=model)
    assert session._tracker is not None
    await session._tracker.wait_until_safe()
    for text in ("go", "go on"):
        await asyncio.to_thread(shell.sii, "prune")
        async for _ in session.send(text):
            pass
    await asyncio.to_thread(shell.sii, "prune")
    await session.close()
    await asyncio.to_thread(shell.sii, "prune")
    kept = trees(shell, shell.last(), tmp_path)
    assert [tree[b"f"][2] for tree in kept.values()] == [b"mine\n", b"1\n", b"mine\n"]


def test_what_killed_processes_left_of_recordings_goes(shell: Shell) -> None:
    folder = shell.recorded()
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = folder / f".{LOG}.zst.{dead.pid}"
    left.write_bytes(b"x" * 3_000_000)
    os.utime(left, times=(time.time() - 7200,) * 2)
    by_us, elsewhere = folder / f".{LOG}.{os.getpid()}", folder / f".{LOG}.{dead.pid}"
    for path in (by_us, elsewhere):  # a container's processes, or another machine's, are not seen
        path.write_bytes(b"still being written")
    os.utime(by_us, times=(time.time() - 7200,) * 2)
    _, old = shell.store.create_folder()
    os.utime(old, times=(time.time() - 7200,) * 2)
    _, new = shell.store.create_folder()
    session, begun = shell.store.create_folder()
    recorder = Recorder.create(begun, session, key=shell.key)
    os.utime(begun, times=(time.time() - 7200,) * 2)
    snapshot_store(shell.home).objects.prepare()
    done = shell.sii("prune")
    recorder.close()
    assert (
        done.stdout == "Freed 3.0 MB: 1 file of a killed process, 1 recording without an event.\n"
    )
    assert [path.exists() for path in (left, by_us, elsewhere)] == [False, True, True]
    assert [path.exists() for path in (old, new, begun)] == [False, True, True]


def test_batches_are_pruned_with_their_home_each_by_itself(
    shell: Shell, settings: Settings, tmp_path: Path
) -> None:
    batches = [shell.home / "batches" / name for name in ("linked", "monday")]
    for batch in batches:
        there = replace(settings, home=batch)
        kept, deleted = work(there, "a"), work(there, "b")
        shutil.rmtree(deleted)
    of_home = work(settings, "c")
    assert shell.key  # the home was used before
    was = [trees(shell, of_home, tmp_path), trees(shell, kept, tmp_path, batches[1])]
    packs = batches[0] / "snapshots" / "packs"
    packs.rename(tmp_path / "packs")
    packs.symlink_to(tmp_path / "packs")
    would = json.loads(shell.sii("prune", "--dry-run", "--json").stdout)
    done = shell.sii("prune", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert (said["contents"], said["bytes"] > 0) == (would["contents"], True)
    assert said["contents"] > 0
    (why,) = said["kept"]
    assert f"{packs} is a link" in why
    assert [trees(shell, of_home, tmp_path), trees(shell, kept, tmp_path, batches[1])] == was
    assert shell.sii("prune", SII_HOME=str(batches[1])).returncode == 0


def test_a_batch_that_is_a_link_is_not_pruned_and_named(shell: Shell, tmp_path: Path) -> None:
    assert shell.key
    (tmp_path / "elsewhere" / "recordings").mkdir(parents=True)
    (shell.home / "batches").mkdir()
    (shell.home / "batches" / "linked").symlink_to(tmp_path / "elsewhere")
    done = shell.sii("prune", "--json")
    (why,) = json.loads(done.stdout)["kept"]
    assert (done.returncode, "linked: it is a link" in why) == (1, True)


def test_nothing_goes_while_the_recordings_are_elsewhere(shell: Shell, settings: Settings) -> None:
    work(settings, "a")
    shutil.rmtree(shell.home / "recordings")
    (shell.home / "recordings").symlink_to("/nowhere/at/all")
    done = shell.sii("prune")
    assert (done.returncode, "leads nowhere" in done.stderr) == (4, True)
