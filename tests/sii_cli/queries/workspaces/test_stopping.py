"""The making of a workspace ends soon when its session is stopped, whatever it is made from."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sii_cli.queries.queries import Query
from sii_cli.queries.workspaces import extraction, git
from sii_cli.queries.workspaces.copies import leftover_copies, make_workspace
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable
from sii_cli.queries.workspaces.stopping import check_stop, in_stoppable_thread
from sii_cli.workspace import folder_copy

pytestmark = pytest.mark.hostile
FILES = 2_000
PAUSE = 0.01


def slowed(function: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(PAUSE)
        return function(*args, **kwargs)

    return slow


async def seconds_to_stop(work: Callable[[], object]) -> float:
    """Begin a work, stop it soon; return the seconds until its thread is free."""
    ended = threading.Event()

    def whole() -> None:
        try:
            work()
        finally:
            ended.set()

    working = asyncio.create_task(in_stoppable_thread(whole))
    await asyncio.sleep(0.5)
    assert not ended.is_set()
    begun = time.monotonic()
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    ended.wait(30)
    return time.monotonic() - begun


async def test_the_copy_of_a_directory_of_many_files_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    for number in range(FILES):
        (tmp_path / "source" / str(number)).touch()
    monkeypatch.setattr(folder_copy._Copier, "_file", slowed(folder_copy._Copier._file))
    query = Query(id="q", query="Go.", workspace="source")
    copies = tmp_path / "copies"
    assert await seconds_to_stop(lambda: make_workspace(query, tmp_path, copies)) < 5
    (left,) = leftover_copies(copies, ["q"])
    assert 0 < len(os.listdir(left)) < FILES


async def test_the_unpacking_of_many_members_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "source.tar", "w") as archive:
        for number in range(FILES):
            archive.addfile(tarfile.TarInfo(str(number)), io.BytesIO())
    monkeypatch.setattr(extraction, "_write", slowed(extraction._write))
    query = Query(id="q", query="Go.", workspace="source.tar")
    copies = tmp_path / "copies"
    assert await seconds_to_stop(lambda: make_workspace(query, tmp_path, copies)) < 5
    (left,) = leftover_copies(copies, ["q"])
    assert len(os.listdir(left)) < FILES


async def test_git_that_waits_for_a_server_is_stopped(tmp_path: Path) -> None:
    git.run_git(tmp_path, "init", "--quiet", max_bytes=1 << 20)
    reading, writing = os.pipe()  # as a server that accepts and never answers

    def work() -> None:
        with (
            open(reading, "rb") as stdin,
            git.started(tmp_path, "cat-file", "--batch", max_bytes=1 << 20, stdin=stdin) as process,
        ):
            assert process.stdout is not None
            process.stdout.read()

    try:
        assert await seconds_to_stop(work) < 5
    finally:
        os.close(writing)


async def test_what_is_not_stopped_is_made(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("a")
    query = Query(id="q", query="Go.", workspace="source")
    folder = await in_stoppable_thread(make_workspace, query, tmp_path, tmp_path / "copies")
    assert (folder / "a").read_text() == "a"
    check_stop()


async def test_an_error_of_the_work_is_raised(tmp_path: Path) -> None:
    query = Query(id="q", query="Go.", workspace="missing.tar")
    with pytest.raises(WorkspaceUnavailable):
        await in_stoppable_thread(make_workspace, query, tmp_path, tmp_path / "copies")
