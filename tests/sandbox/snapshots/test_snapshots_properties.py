"""Whatever a tree is and whatever happens to it: every snapshot comes back, and is told right."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.snapshots import Snapshots, SnapshotStore
from tests.sandbox.trees import Tree, tree_of

NAMES = st.sampled_from([b"a", b"b", b"c", b"\xff", b"new\nline", b".git", b"-x", b"e\xcc\x81"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.sampled_from([b"", b"one\n", b"two\n", b"1\n2\n3\n", b"no end", b"\0\1", b"x" * 4096])
IS_ROOT = os.geteuid() == 0
FILE_MODES = st.sampled_from([0o644, 0o755, 0o600] + [0o400, 0o000] * IS_ROOT)
DIRECTORY_MODES = st.sampled_from([0o755, 0o700, 0o1777] + [0o2775, 0o500] * IS_ROOT)
TARGETS = st.sampled_from([b"a", b"..", b"/etc/passwd", b"missing", b"\xfe", b"../outside"])

ACTIONS = st.one_of(
    st.tuples(st.just("write"), PATHS, CONTENTS),
    st.tuples(st.just("directory"), PATHS, DIRECTORY_MODES),
    st.tuples(st.just("symlink"), PATHS, TARGETS),
    st.tuples(st.just("hard link"), PATHS, PATHS),
    st.tuples(st.just("mode"), PATHS, FILE_MODES),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("delete"), PATHS, st.none()),
)
STEPS = st.lists(st.lists(ACTIONS, max_size=8), min_size=2, max_size=4)


def act(top: bytes, action: tuple[str, bytes, object]) -> None:
    """Do what a command might; what cannot be done changes nothing."""
    what, name, value = action
    path = top + b"/" + name
    try:
        if what == "delete" or what in ("directory", "symlink", "hard link"):
            remove(path)
        if what == "write":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644), "wb") as file:
                file.truncate()
                file.write(value)  # type: ignore[arg-type]
        elif what == "directory":
            os.makedirs(path)
            os.chmod(path, value)  # type: ignore[arg-type]
        elif what == "symlink":
            os.symlink(value, path)  # type: ignore[arg-type]
        elif what == "hard link":
            os.link(top + b"/" + value, path, follow_symlinks=False)  # type: ignore[operator]
        elif what == "mode" and os.path.isfile(path) and not os.path.islink(path):
            os.chmod(path, value)  # type: ignore[arg-type]
        elif what == "move":
            os.rename(path, top + b"/" + value)  # type: ignore[operator]
    except OSError:
        return


def remove(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def differences(old: Tree, new: Tree) -> dict[str, str]:
    """What a snapshot has to tell, found by plain reading."""
    found = {}
    for path in old.keys() | new.keys():
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        if was is None or now is None:
            kind = "added" if was is None else "deleted"
        elif was[0] != now[0]:
            kind = "type"
        else:
            kind = "mode" if was[2] == now[2] else "modified"
        found[os.fsdecode(path)] = kind
    return found


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_every_snapshot_comes_back_and_changes_are_told_right(steps, order) -> None:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(follow(Path(folder), steps, order))


async def follow(folder: Path, steps: list[list[tuple[str, bytes, object]]], order) -> None:  # type: ignore[no-untyped-def]
    workspace = folder / "workspace"
    workspace.mkdir()
    (folder / "outside").mkdir()
    store = SnapshotStore(folder / "store")
    snapshots = Snapshots(workspace, store)
    await snapshots.snapshot()
    kept: list[tuple[str, Tree]] = []
    last: Tree = {}
    for actions in steps:
        for action in actions:
            act(os.fsencode(workspace), action)
        taken, now = await snapshots.snapshot(), tree_of(workspace)
        assert {change.path: change.kind for change in taken.changes} == differences(last, now)
        kept.append((taken.tree_sha256, now))
        last = now
    outside = tree_of(folder / "outside")  # an action may have written through a link
    order.shuffle(kept)
    for number, (tree, was) in enumerate(kept):
        restored = await snapshots.restore(tree)
        assert (restored.tree_sha256, restored.missing) == (tree, ())
        assert tree_of(workspace) == was
        fork = folder / f"fork-{number}"
        await store.materialise(tree, fork)
        assert tree_of(fork) == was
    first, second = kept[0], kept[-1]
    told = await store.changes(first[0], second[0])
    assert {change.path: change.kind for change in told} == differences(first[1], second[1])
    assert tree_of(folder / "outside") == outside


LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "", " ", "\t", "\\ No newline", "+", "é\r"]))


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@settings(max_examples=40, deadline=None)
@given(old=LINES, new=LINES, old_end=st.booleans(), new_end=st.booleans())
def test_patch_applies_a_diff(old: list[str], new: list[str], old_end: bool, new_end: bool) -> None:
    before = "\n".join(old) + "\n" * (bool(old) and old_end)
    after = "\n".join(new) + "\n" * (bool(new) and new_end)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace" / "file"
        path.parent.mkdir()
        store = SnapshotStore(Path(folder) / "store")
        snapshots = Snapshots(path.parent, store)
        path.write_bytes(before.encode())
        first = asyncio.run(snapshots.snapshot()).tree_sha256
        path.write_bytes(after.encode())
        second = asyncio.run(snapshots.snapshot()).tree_sha256
        diffs = asyncio.run(store.diff(first, second))
        path.write_bytes(before.encode())
        for diff in diffs:
            command = ["patch", "-p1", "-s", "--binary", "--posix"]
            subprocess.run(command, cwd=path.parent, input=diff.text.encode(), check=True)
        assert path.read_bytes() == after.encode()
