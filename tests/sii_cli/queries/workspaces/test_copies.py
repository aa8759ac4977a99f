"""Each session works in a copy of its own, and cannot see what came later."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.snapshots import removal
from sii_cli.queries.queries import Query
from sii_cli.queries.workspaces import copies
from sii_cli.queries.workspaces.copies import (
    make_workspace,
    remove_copy,
    remove_leftover_copies,
    remove_workspace,
)
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable


def query(workspace: object) -> Query:
    return Query.model_validate({"id": "a", "query": "x", "workspace": workspace})


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *settings, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "link").symlink_to("a.txt")
    return folder


def test_a_directory_is_copied_links_and_all(tmp_path: Path, source: Path) -> None:
    first = make_workspace(query("source"), tmp_path, tmp_path / "out")
    second = make_workspace(query("source"), tmp_path, tmp_path / "out")
    (first / "a.txt").write_text("changed")
    assert (second / "a.txt").read_text() == (source / "a.txt").read_text() == "one"
    assert (second / "link").readlink() == Path("a.txt")


def test_a_batch_in_its_own_workspace_is_not_copied_nor_are_sockets(
    tmp_path: Path, source: Path
) -> None:
    out = source / "runs" / "monday"
    (out / "recordings").mkdir(parents=True)
    for name in ("batch.json", "queries.jsonl"):
        (out / name).touch()
    os.mkfifo(source / "pipe")
    made = make_workspace(query("."), source, out / "workspaces")
    assert sorted(path.name for path in made.rglob("*")) == ["a.txt", "link", "runs"]


def test_a_tarball_is_unpacked_and_one_that_climbs_out_is_refused(
    tmp_path: Path, source: Path
) -> None:
    with tarfile.open(tmp_path / "good.tar.gz", "w:gz") as archive:
        archive.add(source / "a.txt", "deep/a.txt")
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.add(source / "a.txt", "../../outside.txt")
    made = make_workspace(query("good.tar.gz"), tmp_path, tmp_path / "out")
    assert (made / "deep" / "a.txt").read_text() == "one"
    with pytest.raises(WorkspaceUnavailable, match="workspace of a cannot be made"):
        make_workspace(query("bad.tar"), tmp_path, tmp_path / "out")
    assert not (tmp_path / "outside.txt").exists()


def test_a_repository_is_at_its_commit_and_holds_nothing_newer(
    tmp_path: Path, source: Path
) -> None:
    git(source, "init", "-q")
    git(source, "add", ".")
    git(source, "commit", "-qm", "the task")
    commit = git(source, "rev-parse", "HEAD").strip()
    (source / "a.txt").write_text("the fix")
    git(source, "commit", "-qam", "the fix")
    fix = git(source, "rev-parse", "HEAD").strip()
    git(source, "tag", "v2")

    wanted = query({"git": "source", "commit": commit})
    for _ in range(2):
        made = make_workspace(wanted, tmp_path, tmp_path / "out")
        assert (made / "a.txt").read_text() == "one"
        assert "the fix" not in git(made, "log", "--all", "--reflog", "--format=%s")
        found = subprocess.run(["git", "-C", made, "cat-file", "-e", fix], capture_output=True)
        assert found.returncode != 0, "the fix is in reach of the model"
        assert git(made, "status", "--porcelain") == ""
        assert git(made, "remote") == ""


def test_a_commit_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, source: Path) -> None:
    git(source, "init", "-q")
    wanted = query({"git": "source", "commit": "deadbeef"})
    with pytest.raises(WorkspaceUnavailable, match="git: "):
        make_workspace(wanted, tmp_path, tmp_path / "out")


def test_a_copy_made_unreadable_is_removed_all_the_same(tmp_path: Path, source: Path) -> None:
    made = make_workspace(query("source"), tmp_path, tmp_path / "out")
    (made / "closed").mkdir()
    (made / "closed" / "file").write_text("x")
    (made / "closed").chmod(0)
    deeper = (
        "import os, sys; os.chdir(sys.argv[1])\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    )
    subprocess.run([sys.executable, "-c", deeper, made], check=True)
    remove_workspace(made)
    assert not made.exists()


def test_a_copy_that_somebody_removed_meanwhile_is_no_fault(tmp_path: Path, source: Path) -> None:
    made = make_workspace(query("."), source, tmp_path / "out")
    remove_workspace(made)
    remove_workspace(made)
    assert list(made.parent.iterdir()) == []


@pytest.mark.hostile
@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.parametrize("ended", [False, True], ids=["before it", "during it"])
async def test_a_session_that_is_stopped_does_not_wait_for_a_removal_of_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool, is_nested: bool
) -> None:
    copy = tmp_path / "q-abcdefgh"
    for number in range(200):
        (copy / ("in" if is_nested else "") / str(number)).mkdir(parents=True)
    remove = removal.Remover.remove

    def slowly(*arguments: Any) -> None:
        time.sleep(0.05)
        remove(*arguments)

    monkeypatch.setattr(removal.Remover, "remove", slowly)
    monkeypatch.setattr(copies, "STOPPING", 0.2)

    async def session() -> None:
        try:
            await asyncio.sleep(0 if ended else 60)
        finally:
            await remove_copy(copy)

    task = asyncio.create_task(session())
    await asyncio.sleep(0.3)
    stopped = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - stopped < 2
    await asyncio.sleep(0.2)
    left = len(list(copy.rglob("*")))
    await asyncio.sleep(0.2)
    assert 0 < len(list(copy.rglob("*"))) == left < 201
    monkeypatch.undo()
    remove_leftover_copies(tmp_path, ["q"])
    assert not copy.exists()


@pytest.mark.hostile
def test_a_directory_larger_than_the_disk_limit_is_not_copied(tmp_path: Path) -> None:
    """One that somebody names may hold a file of a terabyte without a block."""
    source = tmp_path / "theirs"
    (source / "deep").mkdir(parents=True)
    (source / "small").write_text("x")
    with (source / "deep" / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    parent = tmp_path / "copies"
    with pytest.raises(WorkspaceUnavailable, match="disk limit"):
        make_workspace(Query(id="a", query="x", workspace="theirs"), tmp_path, parent)
    assert list(parent.iterdir()) == []
    (source / "deep" / "sparse").write_bytes(bytes(100))
    made = make_workspace(Query(id="a", query="x", workspace="theirs"), tmp_path, parent, 101)
    assert (made / "deep" / "sparse").stat().st_size == 100
