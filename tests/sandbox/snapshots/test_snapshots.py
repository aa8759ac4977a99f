"""Snapshots: what they keep, what they report, and that any of them comes back exactly."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.snapshots import (
    Change,
    SnapshotDamaged,
    SnapshotError,
    SnapshotNotFound,
    Snapshots,
    SnapshotStore,
    WorkspaceSnapshot,
)
from tests.sandbox.trees import Tree, tree_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def snapshots(workspace: Path, store: SnapshotStore) -> Snapshots:
    return Snapshots(workspace, store)


def kinds(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.path: change.kind for change in changes}


async def comes_back(
    workspace: Path, snapshots: Snapshots, change: Callable[[], object]
) -> tuple[WorkspaceSnapshot, Tree]:
    """Take a snapshot, change the workspace, restore; return the snapshot of the changed one."""
    before, was = await snapshots.snapshot(), tree_of(workspace)
    change()
    after, changed = await snapshots.snapshot(), tree_of(workspace)
    restored = await snapshots.restore(before.tree_sha256)
    assert restored.missing == ()
    assert tree_of(workspace) == was
    return after, changed


async def test_a_step_that_changes_nothing_has_the_same_tree(
    workspace: Path, snapshots: Snapshots
) -> None:
    (workspace / "a.txt").write_text("one\n")
    first = await snapshots.snapshot()
    second = await snapshots.snapshot()
    assert (first.tree_sha256, second.changes) == (second.tree_sha256, ())


async def test_the_tree_depends_on_the_content_alone(tmp_path: Path, store: SnapshotStore) -> None:
    trees = set()
    for name, order in (("one", "abc"), ("two", "cab")):
        folder = tmp_path / name
        (folder / "empty").mkdir(parents=True)
        for file in order:
            (folder / file).write_text(file)
        trees.add((await Snapshots(folder, store).snapshot()).tree_sha256)
    assert len(trees) == 1


async def test_every_kind_of_change_is_told_and_undone(
    workspace: Path, snapshots: Snapshots
) -> None:
    for name in ("kept", "modified", "deleted", "mode", "type"):
        (workspace / name).write_text(name)
    (workspace / "folder" / "inner").mkdir(parents=True)
    (workspace / "link").symlink_to("kept")

    def change() -> None:
        (workspace / "added").write_bytes(b"\0new")
        (workspace / "modified").write_text("longer than it was")
        (workspace / "deleted").unlink()
        (workspace / "mode").chmod(0o700)
        (workspace / "type").unlink()
        (workspace / "type").mkdir()
        (workspace / "folder" / "inner").rmdir()
        (workspace / "link").unlink()
        (workspace / "link").symlink_to("elsewhere")

    after, _ = await comes_back(workspace, snapshots, change)
    assert kinds(after.changes) == {
        "added": "added",
        "deleted": "deleted",
        "folder/inner": "deleted",
        "link": "modified",
        "mode": "mode",
        "modified": "modified",
        "type": "type",
    }
    added = next(change for change in after.changes if change.path == "added")
    assert (added.size_before, added.size_after, added.binary) == (None, 4, True)


async def test_a_restore_can_itself_be_undone(workspace: Path, snapshots: Snapshots) -> None:
    (workspace / "a").write_text("first")
    first = await snapshots.snapshot()
    (workspace / "a").write_text("never in a snapshot of its own")
    now = tree_of(workspace)
    await snapshots.restore(first.tree_sha256)
    later = await snapshots.snapshot()
    assert later.changes == ()  # the restore is not a change of the next step
    (workspace / "a").write_text("never in a snapshot of its own")
    assert tree_of(workspace) == now


async def test_restore_touches_only_what_differs(workspace: Path, snapshots: Snapshots) -> None:
    (workspace / "same").write_text("same")
    (workspace / "other").write_text("other")
    before = await snapshots.snapshot()
    untouched = (workspace / "same").stat()
    (workspace / "other").write_text("changed")
    restored = await snapshots.restore(before.tree_sha256)
    assert kinds(restored.changes) == {"other": "modified"}
    now = (workspace / "same").stat()
    assert (now.st_ino, now.st_ctime_ns) == (untouched.st_ino, untouched.st_ctime_ns)


async def test_a_nested_repository_comes_back_with_its_git_folder(
    workspace: Path, snapshots: Snapshots
) -> None:
    git = workspace / "vendor" / "library" / ".git"
    (git / "objects" / "ab").mkdir(parents=True)
    (git / "objects" / "ab" / "cdef").write_bytes(b"x\0y")
    (git / "objects" / "ab" / "cdef").chmod(0o444)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git.parent / ".gitignore").write_text("*\n")
    (git.parent / "ignored").write_text("kept all the same")

    def change() -> None:
        (git / "objects" / "ab" / "cdef").unlink()
        (git / "HEAD").write_text("ref: refs/heads/other\n")
        (git.parent / "ignored").unlink()

    after, _ = await comes_back(workspace, snapshots, change)
    assert len(after.changes) == 3


async def test_any_bytes_in_a_name_come_back_and_go_into_json(
    workspace: Path, snapshots: Snapshots
) -> None:
    names = [b"caf\xe9", b"\xff\xfe", b"new\nline", b'quo"te', b"\x1b[31m", b"a\\b"]
    paths = [os.path.join(os.fsencode(workspace), name) for name in names]

    def write(text: bytes) -> None:
        for path in paths:
            with open(path, "wb") as file:
                file.write(text)

    write(b"one")
    after, _ = await comes_back(workspace, snapshots, lambda: write(b"other"))
    told = json.loads(json.dumps([change.path for change in after.changes]))
    assert sorted(os.fsencode(path) for path in told) == sorted(names)


async def test_hard_links_are_plain_files(workspace: Path, snapshots: Snapshots) -> None:
    (workspace / "a").write_text("same")
    (workspace / "b").write_text("same")
    (workspace / "b").chmod(0o600)

    def change() -> None:
        (workspace / "b").unlink()
        (workspace / "b").hardlink_to(workspace / "a")

    await comes_back(workspace, snapshots, change)
    (workspace / "c").hardlink_to(workspace / "a")
    await comes_back(workspace, snapshots, lambda: (workspace / "c").write_text("both"))


async def test_a_mode_is_not_set_through_a_hard_link_out_of_the_workspace(
    workspace: Path, snapshots: Snapshots
) -> None:
    outside = workspace.parent / "outside"
    outside.write_text("same")
    outside.chmod(0o644)
    (workspace / "a").write_text("same")
    (workspace / "a").chmod(0o755)

    def change() -> None:
        (workspace / "a").unlink()
        (workspace / "a").hardlink_to(outside)

    await comes_back(workspace, snapshots, change)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


async def test_a_large_file_is_named_and_left_as_it_stands(
    workspace: Path, store: SnapshotStore
) -> None:
    snapshots = Snapshots(workspace, store, max_file=1000)
    (workspace / "large").write_bytes(b"x" * 2000)
    before = await snapshots.snapshot()
    assert [(entry.path, entry.why) for entry in before.not_kept] == [("large", "too large")]
    (workspace / "large").write_bytes(b"y" * 3000)
    after = await snapshots.snapshot()
    assert [(c.path, c.size_before, c.size_after, c.not_kept) for c in after.changes] == [
        ("large", 2000, 3000, "too large")
    ]
    restored = await snapshots.restore(before.tree_sha256)
    assert [change.path for change in restored.missing] == ["large"]
    assert (workspace / "large").read_bytes() == b"y" * 3000


async def test_a_file_of_many_megabytes_is_streamed_and_comes_back(
    workspace: Path, snapshots: Snapshots
) -> None:
    data = os.urandom(1 << 20) * 5 + b"end"
    (workspace / "big").write_bytes(data)
    await comes_back(workspace, snapshots, lambda: (workspace / "big").write_bytes(b"small"))
    assert (workspace / "big").read_bytes() == data


async def test_special_files_are_noted_and_never_opened(
    workspace: Path, snapshots: Snapshots
) -> None:
    os.mkfifo(workspace / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(workspace / "socket"))
        noted = await asyncio.wait_for(snapshots.snapshot(), 5)
    assert {entry.path: entry.why for entry in noted.not_kept} == {
        "fifo": "fifo",
        "socket": "socket",
    }


async def test_what_is_excluded_is_in_no_snapshot_and_survives_a_restore(
    workspace: Path, store: SnapshotStore
) -> None:
    snapshots = Snapshots(workspace, store, exclude=[".env", "*.pem", "data/raw"])
    (workspace / "code").write_text("one")
    before = await snapshots.snapshot()
    secret = "the secret that must not be kept"
    (workspace / "data" / "raw").mkdir(parents=True)
    for name in (".env", "key.pem", "data/.env", "data/raw/rows"):
        (workspace / name).write_text(secret)
    (workspace / "code").write_text("two")
    after = await snapshots.snapshot()
    assert kinds(after.changes) == {"code": "modified", "data": "added"}
    await snapshots.restore(before.tree_sha256)
    assert (workspace / "data" / "raw" / "rows").read_text() == secret
    assert (workspace / ".env").read_text() == secret
    fork = workspace.parent / "fork"
    await store.materialise(after.tree_sha256, fork)
    assert sorted(tree_of(fork)) == [b"code", b"data"]


async def test_a_store_inside_the_workspace_is_not_part_of_it(workspace: Path) -> None:
    store = SnapshotStore(workspace / "deep" / "store")
    snapshots = Snapshots(workspace, store)
    (workspace / "a").write_text("a")
    before = await snapshots.snapshot()
    (workspace / "a").unlink()
    (workspace / "deep" / "b").write_text("b")
    after = await snapshots.snapshot()
    assert kinds(after.changes) == {"a": "deleted", "deep/b": "added"}
    assert (await snapshots.restore(before.tree_sha256)).tree_sha256 == before.tree_sha256


async def test_a_file_rewritten_within_the_clocks_tick_is_seen(
    workspace: Path, snapshots: Snapshots
) -> None:
    path = workspace / "a"
    for turn in range(30):
        path.write_text(f"{turn:04}")  # same size, same inode, perhaps the same times
        after = await snapshots.snapshot()
        assert kinds(after.changes) == ({"a": "modified"} if turn else {})


async def test_a_change_hidden_behind_the_old_mtime_is_seen(
    workspace: Path, snapshots: Snapshots
) -> None:
    path = workspace / "a"
    path.write_text("one")
    times = path.stat()
    await asyncio.sleep(0.05)
    await snapshots.snapshot()
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert kinds((await snapshots.snapshot()).changes) == {"a": "modified"}


@pytest.mark.parametrize("mode", [0o555, pytest.param(0, marks=needs_root)])
async def test_a_directory_that_its_mode_closes_is_restored_and_removed(
    workspace: Path, snapshots: Snapshots, mode: int
) -> None:
    before = await snapshots.snapshot()
    (workspace / "closed" / "inner").mkdir(parents=True)
    (workspace / "closed" / "inner" / "file").write_text("x")
    (workspace / "closed" / "inner").chmod(mode)
    (workspace / "closed").chmod(0o555)
    closed, was = await snapshots.snapshot(), tree_of(workspace)
    await snapshots.restore(before.tree_sha256)
    assert tree_of(workspace) == {}
    await snapshots.restore(closed.tree_sha256)
    assert tree_of(workspace) == was


@needs_root
async def test_what_is_restored_belongs_to_the_workspaces_owner(
    workspace: Path, store: SnapshotStore
) -> None:
    (workspace / "folder").mkdir()
    (workspace / "folder" / "file").write_text("x")
    (workspace / "link").symlink_to("folder")
    tree = (await Snapshots(workspace, store).snapshot()).tree_sha256
    fork = workspace.parent / "fork"
    fork.mkdir()
    os.chown(fork, 12345, 12346)
    await store.materialise(tree, fork)
    for path in (fork / "folder", fork / "folder" / "file", fork / "link"):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (12345, 12346)


async def test_a_fork_is_the_tree_and_needs_an_empty_directory(
    workspace: Path, snapshots: Snapshots, store: SnapshotStore
) -> None:
    (workspace / "empty").mkdir()
    (workspace / "a").write_text("a")
    tree = (await snapshots.snapshot()).tree_sha256
    fork = workspace.parent / "fork"
    assert (await store.materialise(tree, fork)).tree_sha256 == tree
    assert tree_of(fork) == tree_of(workspace)
    with pytest.raises(SnapshotError, match="not empty"):
        await store.materialise(tree, fork)


async def test_the_same_content_is_stored_once(workspace: Path, store: SnapshotStore) -> None:
    for name in range(20):
        (workspace / f"{name}").write_text("the same")
    await Snapshots(workspace, store).snapshot()
    with closing(sqlite3.connect(store.objects.folder / "index.sqlite")) as index:
        found = index.execute("SELECT sha256 FROM objects").fetchall()
    assert len(found) == 2  # the content and the tree


async def test_a_damaged_object_is_told_and_never_written_to_the_workspace(
    workspace: Path, snapshots: Snapshots, store: SnapshotStore
) -> None:
    (workspace / "a").write_text("good")
    before = await snapshots.snapshot()
    (workspace / "a").write_text("now")
    for path in store.objects.folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            data = path.read_bytes()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SnapshotDamaged):
        await snapshots.restore(before.tree_sha256)
    assert (workspace / "a").read_text() == "now"


@pytest.mark.parametrize("tree", ["0" * 64, "", "../../../etc/passwd", "zz", "\0"])
async def test_a_tree_that_is_not_there_is_named(
    workspace: Path, snapshots: Snapshots, store: SnapshotStore, tree: str
) -> None:
    (workspace / "a").write_text("a")
    assert not await store.has(tree)
    with pytest.raises(SnapshotNotFound):
        await snapshots.restore(tree)
    assert (workspace / "a").read_text() == "a"


async def test_cancelled_a_snapshot_ends_and_the_next_one_is_right(
    workspace: Path, snapshots: Snapshots, store: SnapshotStore
) -> None:
    for name in range(300):
        (workspace / f"{name}").write_text(f"{name}")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(snapshots.snapshot(), 0.001)
    tree = (await snapshots.snapshot()).tree_sha256
    fork = workspace.parent / "fork"
    await store.materialise(tree, fork)
    assert tree_of(fork) == tree_of(workspace)


async def test_commands_that_race_lead_nowhere_and_break_nothing(
    workspace: Path, snapshots: Snapshots
) -> None:
    """Files, directories, FIFOs and links out swap under the scan and under the restore."""
    outside = workspace.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("the secret outside")
    await snapshots.snapshot()
    calm = await snapshots.snapshot()
    ending = threading.Event()
    racer = threading.Thread(target=race, args=(workspace, outside, ending))
    racer.start()
    try:
        for _ in range(40):
            found = await asyncio.wait_for(snapshots.snapshot(), 10)
            assert not any(change.path.endswith("secret") for change in found.changes)
            await asyncio.wait_for(snapshots.restore(calm.tree_sha256), 10)
    finally:
        ending.set()
        racer.join()
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "the secret outside"
    await snapshots.restore(calm.tree_sha256)
    assert tree_of(workspace) == {}


def race(workspace: Path, outside: Path, ending: threading.Event) -> None:
    """Put one thing after another under the same name."""
    path = workspace / "x"

    def directory() -> None:
        path.mkdir()
        (path / "secret-free").write_text("inside")

    makers: list[Callable[[], object]] = [
        directory,
        lambda: path.write_text("file"),
        lambda: os.mkfifo(path),
        lambda: path.symlink_to(outside),
        lambda: path.symlink_to(outside / "secret"),
    ]
    turn = 0
    while not ending.is_set():
        turn += 1
        try:
            makers[turn % len(makers)]()
            gone = workspace / f"gone-{turn}"
            path.rename(gone)
            if gone.is_dir() and not gone.is_symlink():
                (gone / "secret-free").unlink()
                gone.rmdir()
            else:
                gone.unlink()
        except OSError:
            continue


async def test_the_diff_of_two_trees_is_one_text_a_file(
    workspace: Path, snapshots: Snapshots, store: SnapshotStore
) -> None:
    (workspace / "src").mkdir()
    (workspace / "src" / "main.py").write_text("one\ntwo\nthree\n")
    (workspace / "gone").write_text("last line without an end")
    (workspace / "binary").write_bytes(b"\0a")
    (workspace / "link").symlink_to("src")
    before = (await snapshots.snapshot()).tree_sha256
    (workspace / "src" / "main.py").write_text("one\n2\nthree\n")
    (workspace / "src" / "main.py").chmod(0o755)
    (workspace / "src" / "empty").mkdir()
    (workspace / "gone").unlink()
    (workspace / "binary").write_bytes(b"\0b")
    (workspace / "link").unlink()
    (workspace / "link").symlink_to("gone")
    after = await snapshots.snapshot()
    diffs = await store.diff(before, after.tree_sha256)
    assert tuple(diff.change for diff in diffs) == after.changes
    assert {diff.change.path: diff.text for diff in diffs} == {
        "binary": "a/binary and b/binary differ: the file is binary\n",
        "gone": "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-last line without an end\n"
        "\\ No newline at end of file\n",
        "link": "--- a/link\n+++ b/link\n@@ -1 +1 @@\n-src\n\\ No newline at end of file\n+gone\n"
        "\\ No newline at end of file\n",
        "src/empty": "",
        "src/main.py": "old mode 644\nnew mode 755\n--- a/src/main.py\n+++ b/src/main.py\n"
        "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
    }
    short = await store.diff(None, after.tree_sha256, max_text=0)
    assert "src/main.py" in {diff.change.path for diff in short}
    assert all("@@" not in diff.text for diff in short)


async def test_entries_are_counted_through_all_the_directories(
    workspace: Path, store: SnapshotStore
) -> None:
    folder = workspace
    for _ in range(3):
        for name in range(4):
            (folder / f"{name}").touch()
        folder = folder / "inner"
        folder.mkdir()
    await Snapshots(workspace, store, max_entries=15).snapshot()
    snapshots = Snapshots(workspace, store, max_entries=14)
    with pytest.raises(SnapshotError, match="more than 14 entries"):
        await snapshots.snapshot()
    (folder.parent / "0").unlink()
    await snapshots.snapshot()
    await snapshots.snapshot()
    (workspace / "one more").touch()
    with pytest.raises(SnapshotError, match="more than 14 entries"):
        await snapshots.snapshot()


async def test_what_takes_the_workspaces_place_is_neither_kept_nor_changed(
    workspace: Path, store: SnapshotStore, tmp_path: Path
) -> None:
    (workspace / "f").write_text("before")
    snapshots = Snapshots(workspace, store)
    first = await snapshots.snapshot()
    other = tmp_path / "other"
    other.mkdir()
    (other / "private").write_text("key")
    moved = tmp_path / "moved"
    os.rename(workspace, moved)
    os.symlink(other, workspace)
    (moved / "f").write_text("after")
    second = await snapshots.snapshot()
    assert [change.path for change in second.changes] == ["f"]
    await snapshots.restore(first.tree_sha256)
    assert (moved / "f").read_text() == "before"
    assert (other / "private").read_text() == "key"
    snapshots.close()
