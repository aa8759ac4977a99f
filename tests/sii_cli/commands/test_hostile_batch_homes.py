"""A batch's folder of another person, looked at as a home: what it holds decides nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from recordings.events import Snapshot
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from recordings.trust.home_key import HomeKey, home_key
from sandbox.snapshots import SnapshotStore
from sii_cli.config.settings import BATCH_FILE, find_key_home
from tests.recordings.recording_sessions import FakeSession, record_session
from tests.sii_cli.commands.test_hostile_trust import leave_a_call
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch's folder that arrived below another folder, which holds a key."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "victim").mkdir()
    folder = tmp_path / "theirs" / "batches" / "monday"
    folder.mkdir(parents=True)
    (folder / BATCH_FILE).write_text("{}")
    return folder


def recorded(theirs: Path, key: HomeKey, victim: Path) -> Path:
    _, folder = RecordingStore(theirs / "recordings").create_folder()
    record_session(folder, rounds=1, change=leave_a_call, workspace=str(victim), key=key)
    return folder


def test_a_key_that_came_with_it_proves_nothing(shell: Shell, theirs: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    folder = recorded(theirs, home_key(theirs.parent.parent), victim)
    log = (folder / "events.jsonl").read_bytes()
    assert "foreign: " in shell.sii("list", SII_HOME=str(theirs)).stdout
    for ref in ("last", folder.name):
        done = shell.sii("run", "-r", ref, script="undo", SII_HOME=str(theirs))
        assert done.returncode != 0, done.stdout
    assert list(victim.iterdir()) == []
    assert (folder / "events.jsonl").read_bytes() == log


def test_the_home_that_the_user_names_proves_what_it_made(
    shell: Shell, theirs: Path, tmp_path: Path
) -> None:
    recorded(theirs, shell.key, tmp_path / "victim")
    homes = {"SII_HOME": str(theirs), "SII_KEY_HOME": str(shell.home)}
    assert "foreign: " not in shell.sii("list", **homes).stdout


def test_its_settings_and_its_server_are_not_the_users(shell: Shell, theirs: Path) -> None:
    (theirs / "config.toml").write_text('allow_net = ["evil.example"]\nmounts = ["/"]\n')
    (theirs / "server.json").write_text(
        json.dumps({"base_url": "http://evil.example/v1", "pid": os.getppid()})
    )
    (theirs / "models.toml").write_text("broken")
    told = shell.sii("config", SII_HOME=str(theirs))
    assert told.returncode == 0, told.stderr
    assert "evil" not in told.stdout
    assert "theirs/batches/monday/config.toml" not in told.stdout
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('allow_net = ["mine.example"]\n')
    homes = {"SII_HOME": str(theirs), "SII_KEY_HOME": str(shell.home)}
    assert "mine.example" in shell.sii("config", **homes).stdout


def test_no_sandbox_shows_the_home_of_the_key(shell: Shell, theirs: Path) -> None:
    homes = {"SII_HOME": str(theirs), "SII_KEY_HOME": str(shell.home)}
    assert find_key_home(homes) == shell.home
    home_key(shell.home)
    for arguments in (["--workspace", str(shell.home.parent)], ["--mount", str(shell.home)]):
        done = shell.sii("-p", "x", *arguments, script="hello", **homes)
        assert done.returncode == 2
        assert "sii's own folder" in done.stderr


@pytest.mark.parametrize(
    "name",
    ["forks", "snapshots", *(f"snapshots/{one}" for one in ("objects", "packs", "held"))],
)
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_nothing_is_pruned_through_a_link(
    shell: Shell, theirs: Path, tmp_path: Path, name: str, arguments: tuple[str, ...]
) -> None:
    """What no recording of that person names may be all that the user has."""
    thesis = tmp_path / "projects" / "thesis"
    thesis.mkdir(parents=True)
    kept = tmp_path / "projects" / "ab" / ("c" * 62)
    kept.parent.mkdir(parents=True)
    for file in (kept, tmp_path / "projects" / "notes"):
        file.write_text("x")
    (theirs / "recordings").mkdir()
    (theirs / name).parent.mkdir(exist_ok=True)
    (theirs / name).symlink_to(tmp_path / "projects")
    done = shell.sii("prune", *arguments, SII_HOME=str(theirs))
    assert done.returncode != 0
    assert "is a link, and nothing is removed through it" in done.stderr
    assert thesis.is_dir()
    assert kept.exists()
    assert {path.name for path in (tmp_path / "projects").iterdir()} == {"thesis", "ab", "notes"}


def test_no_fork_is_written_through_a_link(shell: Shell, theirs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store = SnapshotStore(theirs / "snapshots")
    with store.objects.at_work():
        tree = store.objects.put(b"")
        store.objects.commit()
    store.close()

    def keep(session: FakeSession) -> None:
        session.note(Snapshot(step=0, cause="start", tree=tree, seconds=0.1), "harness")

    _, folder = RecordingStore(theirs / "recordings").create_folder()
    record_session(folder, rounds=1, change=keep)
    seq = next(one.seq for one in read_events(folder) if isinstance(one.data, Snapshot))
    (theirs / "forks").symlink_to(outside)
    done = shell.sii("fork", folder.name, "--at", str(seq), SII_HOME=str(theirs))
    assert done.returncode == 2
    assert f"{theirs / 'forks'} is a link, and nothing is written through it" in done.stderr
    assert list(outside.iterdir()) == []
