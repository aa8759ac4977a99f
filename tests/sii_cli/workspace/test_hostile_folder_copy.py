"""A folder is copied while a program swaps what is in it for links: nothing outside is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from sii_cli.queries.queries import Query
from sii_cli.queries.workspaces.copies import make_workspace
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable
from sii_cli.reexecution.prepare import start_workspace
from sii_cli.workspace.folder_copy import MAX_DEPTH, copy_folder

pytestmark = pytest.mark.hostile

SECRET = "the user's own"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A workspace in which `folder` and `file` have namesakes outside, and links to them."""
    outside, source = tmp_path / "outside", tmp_path / "source"
    for place, text in ((outside, SECRET), (source, "x")):
        (place / "folder").mkdir(parents=True)
        (place / "folder" / "key").write_text(text)
        (place / "file").write_text(text)
    for name in ("folder", "file"):
        (tmp_path / f"link-to-{name}").symlink_to(outside / name)
    return source


def swap(source: Path, name: str) -> None:
    """Swap the link with what has the name; a second call swaps them back."""
    link, aside = source.parent / f"link-to-{name}", source.parent / "aside"
    (source / name).rename(aside)
    link.rename(source / name)
    aside.rename(link)


def copied(source: Path) -> list[Path]:
    """Copy it for a query and for a re-execution; return all files of both copies."""
    query, parent = Query(id="a", query="x", workspace="source"), source.parent / "copies"
    found: list[Path] = []
    with suppress(WorkspaceUnavailable):
        found += make_workspace(query, source.parent, parent).rglob("*")
    none: Any = None
    with suppress(OSError), start_workspace(none, none, source, none) as copy:
        found += copy.rename(parent / "second").rglob("*")
    return found


@pytest.mark.parametrize("name", ["folder", "file"])
@pytest.mark.parametrize("moment", ["listed", "opened"])
def test_what_becomes_a_link_while_it_is_copied_is_not_followed(
    source: Path, monkeypatch: pytest.MonkeyPatch, name: str, moment: str
) -> None:
    listing, opening = os.scandir, os.open
    swapped: list[str] = []

    def listed(path: Any) -> Any:
        with listing(path) as entries:
            found = list(entries)
        if os.path.samestat(os.stat(path), source.stat()):
            swap(source, name)
            swapped.append(name)
        return nullcontext(iter(found))

    def opened(path: Any, *arguments: Any, **more: Any) -> int:
        if path == name:
            swap(source, name)
            swapped.append(name)
        return opening(path, *arguments, **more)

    hook: tuple[str, Callable[..., Any]]
    hook = ("scandir", listed) if moment == "listed" else ("open", opened)
    with monkeypatch.context() as patch:
        patch.setattr(os, *hook)
        found = copied(source)
    assert swapped
    texts = [path.read_text() for path in found if path.is_file() and not is_linked(path)]
    assert SECRET not in texts


def is_linked(path: Path) -> bool:
    """Tell whether a path of a copy leads through a link, which a sandbox would not follow out."""
    return path.is_symlink() or path.parent.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_no_file_outside_gets_another_owner(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link is copied; then the folder is back, with a file of another owner."""
    os.chown(source / "folder" / "key", 1000, 1000)
    swap(source, "folder")
    listing, listings = os.scandir, []

    def listed(path: Any) -> Any:
        if os.path.samestat(os.stat(path), source.stat()):
            listings.append(path)
            if len(listings) == 2:
                swap(source, "folder")
        return listing(path)

    none: Any = None
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", listed)
        with start_workspace(none, none, source, none):
            pass
    assert listings
    assert (source.parent / "outside" / "folder" / "key").stat().st_uid == 0


def test_a_file_that_became_a_pipe_is_not_waited_for(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = os.open

    def opened(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "file":
            (source / "file").unlink()
            os.mkfifo(source / "file")
        return opening(path, *arguments, **more)

    target = source.parent / "copy"
    target.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        with pytest.raises(OSError, match="not a regular file any more"):
            copy_folder(source, target)


def test_a_file_that_grows_while_it_is_copied_stays_within_the_limit(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = os.sendfile

    def sent(made: int, file: int, *more: Any) -> int:
        with (source / "file").open("ab") as growing:
            growing.write(bytes(1 << 20))
        return sending(made, file, *more)

    query = Query(id="a", query="x", workspace="source")
    with monkeypatch.context() as patch:
        patch.setattr(os, "sendfile", sent)
        with pytest.raises(WorkspaceUnavailable, match="disk limit"):
            make_workspace(query, source.parent, source.parent / "copies", 8 << 20)


def test_folders_nested_too_deep_are_refused_in_a_sentence(source: Path) -> None:
    (source / Path(*["d"] * (MAX_DEPTH + 1))).mkdir(parents=True)
    query = Query(id="a", query="x", workspace="source")
    with pytest.raises(WorkspaceUnavailable, match=f"deeper than {MAX_DEPTH} directories"):
        make_workspace(query, source.parent, source.parent / "copies")


def test_modes_times_links_and_owners_are_kept(source: Path) -> None:
    (source / "file").chmod(0o741)
    os.utime(source / "file", ns=(10**18, 10**18 + 1))
    (source / "folder").chmod(0o500)
    (source / "link").symlink_to("/nowhere")
    os.mkfifo(source / "pipe")
    target = source.parent / "copy"
    target.mkdir()
    copy_folder(source, target, with_owners=os.geteuid() == 0)
    assert sorted(path.name for path in target.iterdir()) == ["file", "folder", "link"]
    for name in ("file", "folder", "link"):
        before, after = (source / name).lstat(), (target / name).lstat()
        assert after.st_mode == before.st_mode
        assert after.st_mtime_ns == before.st_mtime_ns
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert (target / "link").readlink() == Path("/nowhere")
