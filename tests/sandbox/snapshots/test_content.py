"""What a folder holds is named as a snapshot names it, and a change shows in its stamp."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.snapshots import SnapshotError, Snapshots, SnapshotStore
from sandbox.snapshots.content import content_of, stamp_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set"
    (made / "in" / "ner").mkdir(parents=True)
    (made / "a.txt").write_text("one\n")
    (made / "in" / "b.bin").write_bytes(b"\0" * 3_000_000)
    (made / "in" / "run").write_text("#!/bin/sh\n")
    (made / "in" / "run").chmod(0o755)
    (made / "link").symlink_to("a.txt")
    (made / os.fsdecode(b"\xff")).write_text("")
    return made


async def test_its_hash_is_that_of_a_snapshot(folder: Path, tmp_path: Path) -> None:
    with closing(SnapshotStore(tmp_path / "store")) as store:
        snapshot = await Snapshots(folder, store).snapshot()
    content = content_of(folder)
    assert content.sha256 == snapshot.tree_sha256
    assert (content.files, content.size) == (4, 4 + 3_000_000 + 10)


async def test_a_file_is_named_as_a_folder_with_it_alone(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "a.txt").write_text("one\n")
    assert content_of(alone / "a.txt").sha256 == content_of(alone).sha256


def test_a_change_shows_though_size_and_time_are_put_back(folder: Path) -> None:
    before, status = stamp_of(folder), (folder / "a.txt").stat()
    assert stamp_of(folder) == before
    (folder / "a.txt").write_text("two\n")
    os.utime(folder / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stamp_of(folder) != before


@pytest.mark.parametrize("change", ["new", "gone", "renamed", "link", "folder"])
def test_every_kind_of_change_shows(folder: Path, change: str) -> None:
    before = stamp_of(folder)
    match change:
        case "new":
            (folder / "in" / "ner" / "new").write_text("")
        case "gone":
            (folder / "in" / "run").unlink()
        case "renamed":
            (folder / "a.txt").rename(folder / "c.txt")
        case "link":
            (folder / "link").unlink()
            (folder / "link").symlink_to("/etc/passwd")
        case _:
            (folder / "in").rename(folder.parent / "moved")
            (folder / "in").symlink_to(folder.parent / "moved")
    assert stamp_of(folder) != before


def test_no_link_is_followed_and_a_pipe_is_refused(folder: Path) -> None:
    (folder / "out").symlink_to("/etc")
    assert content_of(folder).files == 4
    os.mkfifo(folder / "pipe")
    with pytest.raises(SnapshotError, match="pipe is not a file"):
        content_of(folder)


def test_what_changes_while_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.snapshots import content

    read = content._Reader.top

    def reading(reader: content._Reader, path: Path) -> bytes:
        tree = read(reader, path)
        (folder / "a.txt").write_text("three\n")
        return tree

    monkeypatch.setattr(content._Reader, "top", reading)
    with pytest.raises(SnapshotError, match="changed while it was read"):
        content_of(folder)
