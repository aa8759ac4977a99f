"""`--home` names the homes that a command reads or works in; `sii init` makes one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recordings.reviews.protocol import DEFAULT_PROTOCOL, find_protocol
from recordings.store.store import RecordingStore
from recordings.trust.home_key import home_key
from sii_cli.config.settings import BATCH_FILE
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.shell import Shell


def recorded_in(home: Path, *, keyed: bool = True, **options: Any) -> Path:
    """Make a recording in another home, with that home's key."""
    _, folder = RecordingStore(home / "recordings").create_folder()
    about: dict[str, Any] = {"rounds": 1, "steps": 1}
    if keyed:
        about["key"] = home_key(home)
    record_session(folder, **(about | options))
    return folder


@pytest.fixture
def limi(shell: Shell, tmp_path: Path) -> Path:
    """A home that `sii init` made, while another is the user's."""
    home = tmp_path / "limi-78"
    done = shell.sii("init", str(home), "--goal", "78")
    assert done.returncode == 0, done.stderr
    return home


def listed(shell: Shell, *homes: Path, **env: str) -> dict[str, dict[str, Any]]:
    named = [word for home in homes for word in ("--home", str(home))]
    done = shell.sii("list", "--json", "--all", *named, **env)
    assert done.returncode == 0, done.stderr
    return {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_init_makes_a_home_that_works(shell: Shell, limi: Path) -> None:
    assert "goal = 78" in (limi / "config.toml").read_text()
    assert (limi / "key").stat().st_size == 32
    assert find_protocol(limi) == DEFAULT_PROTOCOL
    assert sorted(one.name for one in limi.iterdir() if one.is_dir()) == ["batches", "recordings"]
    shown = shell.sii("config", "--home", str(limi))
    assert shown.returncode == 0, shown.stderr
    assert str(limi) in shown.stdout
    done = shell.sii("-p", "hi", "--home", str(limi), script="hello")
    assert done.returncode == 0, done.stderr
    (folder,) = (limi / "recordings").glob("2*")
    assert listed(shell, limi)[folder.name]["origin"] == "own"
    assert listed(shell, SII_HOME=str(limi))[folder.name]["origin"] == "own"
    assert os.environ["SII_HOME"] == str(shell.home)
    assert listed(shell) == {}


def test_commands_to_copy_name_the_home_that_was_named(shell: Shell, limi: Path) -> None:
    there = f"--home {limi}"
    done = shell.sii("-p", "hi", *there.split(), script="hello")
    assert done.stderr.rstrip().endswith(there)
    _, _, shown = done.stderr.rpartition("sii ")
    assert shell.sii(*shown.split()).returncode == 0
    facts = json.loads(shell.sii("status", "--json", *there.split()).stdout)
    assert [one["command"] for one in facts["next"]] == [f"sii review {there}"]
    assert "--home" not in shell.sii("status").stdout


def test_a_home_that_is_named_twice_is_read_once(shell: Shell, limi: Path, tmp_path: Path) -> None:
    folder = recorded_in(limi)
    (tmp_path / "link").symlink_to(limi)
    assert list(listed(shell, limi, tmp_path / "link", limi / ".." / limi.name)) == [folder.name]
    named = ("--home", str(limi), "--home", str(tmp_path / "link"))
    assert shell.sii("show", folder.name, *named).returncode == 0


def test_a_recording_is_named_by_any_path_that_leads_to_it(
    shell: Shell, limi: Path, tmp_path: Path
) -> None:
    folder = recorded_in(limi)
    (tmp_path / "link").symlink_to(limi)
    for home in (limi, tmp_path / "link", limi / ".." / limi.name):
        path = home / "recordings" / folder.name
        assert shell.sii("show", str(path), "--home", str(home)).returncode == 0
        assert shell.sii("show", str(path), SII_HOME=str(home)).returncode == 0
    done = shell.sii("show", str(limi / "elsewhere" / folder.name), "--home", str(limi))
    assert "No recording is called" in done.stderr


@pytest.mark.parametrize("name", ["circle", "~no-such-user/x"])
@pytest.mark.parametrize(
    "command",
    ["list --home", "status --home", "adopt", "config --workspace", "config --mount"],
)
def test_links_in_a_circle_and_unknown_users_are_mistakes_of_the_user(
    shell: Shell, command: str, name: str
) -> None:
    Path("circle").symlink_to("circle")
    done = shell.sii(*command.split(), name)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert name.partition("/")[0] in done.stderr


def test_a_file_is_not_a_home(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = shell.sii("list", "--home", str(tmp_path / "file"))
    assert "file is not a folder" in done.stderr
    assert "init" not in done.stderr


def test_init_overwrites_nothing(shell: Shell, limi: Path, tmp_path: Path) -> None:
    key = (limi / "key").read_bytes()
    done = shell.sii("init", str(limi))
    assert done.returncode == 2
    assert "is a home already: nothing was written" in done.stderr
    assert (limi / "key").read_bytes() == key
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes").write_text("mine")
    done = shell.sii("init", str(full))
    assert done.returncode == 2
    assert "is not empty: nothing was written" in done.stderr
    assert [one.name for one in full.iterdir()] == ["notes"]
    assert shell.sii("init", str(full / "notes")).returncode == 2
    assert shell.sii("init", str(tmp_path / "new"), "--goal", "0").returncode == 2


def test_several_homes_are_read_together(shell: Shell, limi: Path, tmp_path: Path) -> None:
    own, there = shell.recorded(rounds=1, steps=1), recorded_in(limi, seed=1)
    rows = listed(shell, shell.home, limi)
    assert set(rows) == {own.name, there.name}
    assert {row["origin"] for row in rows.values()} == {"own"}
    home = ("--home", str(shell.home), "--home", str(limi))
    assert shell.sii("show", there.name, *home).returncode == 0
    assert shell.sii("show", there.name).returncode == 2
    assert json.loads(shell.sii("stats", "--json", *home).stdout)["recordings"] == 2
    found = shell.sii("search", "--json", "ledger", *home).stdout.splitlines()
    assert {json.loads(line)["id"] for line in found} == {own.name, there.name}
    order = list(listed(shell, shell.home, limi))
    assert order == sorted(order, reverse=True)


def test_reviews_of_several_homes_count_in_each(shell: Shell, limi: Path, tmp_path: Path) -> None:
    folders = [shell.recorded(rounds=1, steps=1), recorded_in(limi, seed=1)]
    home = ("--home", str(shell.home), "--home", str(limi))
    for folder in folders:
        done = shell.sii("approve", folder.name, "--speaker", "ann", *home)
        assert done.returncode == 0, done.stderr
        assert (folder / "reviews.jsonl").exists()
    assert {row["approval"] for row in listed(shell, shell.home, limi).values()} == {"approved"}
    assert listed(shell, SII_HOME=str(limi))[folders[1].name]["approval"] == "approved"
    done = shell.sii("export", str(tmp_path / "data"), "--format", "messages", *home)
    assert "from 2 recordings" in done.stdout, done.stderr


@pytest.mark.hostile
def test_a_foreign_home_proves_nothing_with_the_key_that_came_with_it(
    shell: Shell, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    folder = recorded_in(theirs)
    shell.sii("approve", folder.name, "--speaker", "eve", SII_HOME=str(theirs))
    (theirs / "config.toml").write_text('speaker = "eve"\nmounts = ["/"]\n')
    (row,) = listed(shell, theirs).values()
    assert (row["origin"], row["approval"], row["uncounted_reviews"]) == (
        "foreign",
        "unreviewed",
        1,
    )
    data = str(tmp_path / "data")
    done = shell.sii("export", data, "--format", "messages", "--home", str(theirs))
    assert done.returncode == 1
    assert "1 review not counted" in done.stderr
    assert "eve" not in shell.sii("approve", folder.name, "--home", str(theirs)).stderr
    done = shell.sii("approve", folder.name, "--speaker", "ann", "--home", str(theirs))
    assert done.returncode == 0, done.stderr
    (row,) = listed(shell, theirs).values()
    assert (row["approval"], row["reviewers"]) == ("approved", ["ann"])
    os.mkfifo(tmp_path / "pipe")
    (theirs / "key").unlink()
    os.mkfifo(theirs / "key")
    assert listed(shell, theirs)[folder.name]["origin"] == "foreign"


@pytest.mark.hostile
def test_a_known_home_with_another_key_is_foreign(shell: Shell, limi: Path, tmp_path: Path) -> None:
    folder = recorded_in(limi)
    assert listed(shell, limi)[folder.name]["origin"] == "own"
    (limi / "key").write_bytes(os.urandom(32))
    assert listed(shell, limi)[folder.name]["origin"] == "foreign"
    done = shell.sii("-p", "hi", "--home", str(limi), script="hello")
    assert done.returncode == 2


def test_sessions_run_in_a_home_of_the_user_alone(shell: Shell, tmp_path: Path) -> None:
    theirs, batch = tmp_path / "theirs", tmp_path / "batch"
    recorded_in(theirs)
    batch.mkdir()
    (batch / BATCH_FILE).write_text("{}")
    for home in (theirs, batch):
        done = shell.sii("-p", "hi", "--home", str(home), script="hello")
        assert done.returncode == 2
        assert "is not known as a home of yours" in done.stderr
    done = shell.sii("list", "--home", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "There is no folder" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_batch_elsewhere_is_read_with_the_users_key(shell: Shell, tmp_path: Path) -> None:
    batch = tmp_path / "monday"
    folder = recorded_in(batch, keyed=False, key=shell.key, batch="monday")
    (batch / BATCH_FILE).write_text("{}")
    rows = listed(shell, shell.home, batch)
    assert rows[folder.name]["origin"] == "own"
    assert shell.sii("approve", "last", "--speaker", "ann", "--home", str(batch)).returncode == 0
    assert listed(shell, batch)[folder.name]["approval"] == "approved"


@pytest.fixture
def beside(shell: Shell) -> Path:
    """A home that `sii init` made in the project's directory, while another is in force."""
    assert shell.sii("init", "limi-78").returncode == 0
    return shell.workspace / "limi-78"


@pytest.mark.hostile
@pytest.mark.parametrize("in_force", ["another", "a named one"])
def test_no_sandbox_shows_any_home_of_the_user(shell: Shell, beside: Path, in_force: str) -> None:
    """A model there could read its key, and write the settings of the next session in it."""
    home: tuple[str, ...] = ()
    if in_force == "a named one":
        other = shell.home.parent / "other"
        assert shell.sii("init", str(other)).returncode == 0
        home = ("--home", str(other))
    for arguments in ([], ["--workspace", str(beside)]):
        done = shell.sii("-p", "x", *arguments, *home, script="hello")
        assert done.returncode == 2, done.stdout
        assert f"holds sii's own folder {beside}" in done.stderr
    empty = shell.home.parent / "empty"
    empty.mkdir()
    arguments = ["--workspace", str(empty), "--mount", str(shell.workspace)]
    done = shell.sii("-p", "x", *arguments, *home, script="hello")
    assert done.returncode == 2, done.stdout
    assert f"would show sii's own folder {beside}" in done.stderr
    (shell.workspace / "queries.jsonl").write_text('{"id": "a", "query": "x", "workspace": "."}\n')
    done = shell.sii("batch", "queries.jsonl", "--validate", *home)
    assert done.returncode == 2
    assert "holds sii's own folder" in done.stdout + done.stderr


@pytest.mark.hostile
def test_the_usual_home_is_shown_in_no_sandbox(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(shell.workspace))
    home_key(shell.workspace / ".sii")
    done = shell.sii("-p", "x", script="hello")
    assert done.returncode == 2, done.stdout
    assert f"holds sii's own folder {shell.workspace / '.sii'}" in done.stderr


def test_a_home_that_was_moved_away_holds_nobody_up(shell: Shell, beside: Path) -> None:
    beside.rename(shell.home.parent / "elsewhere")
    done = shell.sii("-p", "x", script="hello")
    assert done.returncode == 0, done.stderr
