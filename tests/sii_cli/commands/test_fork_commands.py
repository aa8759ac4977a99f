"""`sii fork` shares a recording's past; `sii tree` shows the family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.conversation.restore import restore
from recordings.storage.log import read_events, read_lines
from recordings.storage.pack import pack
from recordings.store.summary import summarise
from recordings.verify import verify
from tests.recordings.recording_sessions import parent_of
from tests.sii_cli.shell import Shell


def fork(shell: Shell, ref: str, seq: int, *args: str) -> Path:
    done = shell.sii("fork", ref, "--at", str(seq), *args)
    assert done.returncode == 0, done.stderr
    return shell.store.root / done.stdout.strip()


def test_a_fork_shares_its_parents_past_and_pins_it(shell: Shell) -> None:
    parent = shell.recorded()
    child = fork(shell, "last", 9)
    lines = [[line.text for line in read_lines(folder)] for folder in (parent, child)]
    assert lines[0][:10] == lines[1][:10]
    assert len(lines[1]) == 11
    found = parent_of(child)
    assert found is not None
    assert (found.session, found.seq) == (parent.name, 9)
    assert verify(child).whole
    assert restore(child).messages == restore(parent, 9).messages


def test_a_forks_time_is_its_own(shell: Shell) -> None:
    parent = shell.recorded()
    child = fork(shell, parent.name, 9)
    grandchild = fork(shell, child.name, 10)
    pack(grandchild)
    lines = shell.sii("list", "--json").stdout.splitlines()
    found = {one["id"]: one for one in map(json.loads, lines)}
    for folder in (child, grandchild):
        own = [event for event in read_events(folder) if event.session == folder.name]
        began, lasted = own[0].wall, own[-1].wall - own[0].wall
        summary, listed = summarise(folder), found[folder.name]
        assert summary.started == listed["started"] == began
        assert summary.duration == pytest.approx(lasted)
        assert listed["seconds"] == pytest.approx(lasted, abs=0.001)


def test_one_goes_on_with_a_fork(shell: Shell) -> None:
    shell.sii("-p", "Do it", script="work")
    (parent,) = (path for path in shell.store.root.iterdir() if path.is_dir())
    last = [event.seq for event in read_events(parent)][-1]
    child = fork(shell, "last", last)
    done = shell.sii("-r", child.name, "-p", "And now?", script="hello")
    assert done.returncode == 0, done.stderr
    shown = shell.sii("show", child.name).stdout
    assert "› Do it" in shown
    assert "› And now?" in shown
    assert "And now?" not in shell.sii("show", parent.name).stdout
    assert shell.sii("verify", "--all").returncode == 0


def test_where_a_fork_works_is_said_and_kept(shell: Shell) -> None:
    shell.recorded(workspace=str(shell.workspace))
    done = shell.sii("fork", "last", "--at", "5")
    assert f"works in {shell.workspace}, whose files are as they are now" in done.stderr
    (shell.workspace / "copy").mkdir()
    child = fork(shell, "last", 5, "--workspace", "copy")
    assert restore(child).workspace == str(shell.workspace / "copy")
    shell.sii("-r", child.name, "-p", "And now?", script="hello")
    assert restore(child).workspace == str(shell.workspace / "copy")


def test_a_workspace_that_is_gone_is_told(shell: Shell) -> None:
    shell.recorded(workspace="/nowhere/at/all")
    done = shell.sii("fork", "last", "--at", "5")
    assert "/nowhere/at/all is not there: use --workspace DIR" in done.stderr


def test_the_family_is_a_tree(shell: Shell) -> None:
    parent = shell.recorded(rounds=1, steps=2)
    late, early = fork(shell, parent.name, 9), fork(shell, parent.name, 4)
    grandchild = fork(shell, late.name, 6)
    shell.recorded()
    lines = shell.sii("tree", grandchild.name).stdout.splitlines()
    assert [line.split("  unchecked")[0].split("  forked  ")[0] for line in lines] == [
        parent.name,
        f"├─ {early.name}  forked at 4",
        f"└─ {late.name}  forked at 9",
        f"   └─ {grandchild.name}  forked at 6",
    ]
    assert lines[3].endswith("←")
    assert all("  forked  1 step  " in line for line in lines[1:])
    assert shell.sii("tree", parent.name).stdout.count("\n") == 4


def test_a_parent_that_is_gone_is_named(shell: Shell) -> None:
    parent = shell.recorded()
    child = fork(shell, "last", 4)
    parent.rename(shell.workspace / "elsewhere")
    lines = shell.sii("tree", "last").stdout.splitlines()
    assert lines[0] == f"{parent.name}  (not here)"
    assert lines[1].startswith(child.name)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["fork", "last"], "Missing option '--at'"),
        (["fork", "last", "--at", "99999"], "has no event 99999: its last is"),
        (["fork", "last", "--at", "-1"], "--at"),
        (["fork", "1999", "--at", "1"], "No recording is called"),
        (["fork", "last", "--at", "1", "--workspace", "nowhere"], "nowhere is not there"),
        (["tree"], "Missing argument 'ID'"),
    ],
)
def test_misuse_is_one_sentence_and_leaves_nothing(
    shell: Shell, args: list[str], says: str
) -> None:
    folder = shell.recorded()
    done = shell.sii(*args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in shell.store.root.iterdir()] == [folder.name]
