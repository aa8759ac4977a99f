"""Reading and writing files: bytes exact, writes atomic, oddities refused and never opened."""

# ruff: noqa: ASYNC240 (small local files)

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from sandbox.conformance.fixtures import Start
from sandbox.protocol import FileError, Limits, Sandbox

pytestmark = pytest.mark.asyncio


async def refusal(call: object) -> str:
    with pytest.raises(FileError) as caught:
        await call  # type: ignore[misc]
    return caught.value.kind


async def test_what_is_written_is_read_and_lies_in_the_workspace(
    sandbox: Sandbox, workspace: Path
) -> None:
    data = os.urandom(3 << 20)
    written = await sandbox.write_file("a/b/c.bin", data)
    read = await sandbox.read_file("/workspace/a/b/c.bin")
    assert read.data == data == (workspace / "a/b/c.bin").read_bytes()
    assert written.sha256 == read.sha256 == hashlib.sha256(data).hexdigest()
    assert written.path == read.path == "/workspace/a/b/c.bin"
    assert (workspace / "a/b/c.bin").stat().st_uid == workspace.stat().st_uid


async def test_a_part_is_read_by_offset_and_limit(sandbox: Sandbox) -> None:
    await sandbox.write_file("f", b"0123456789")
    part = await sandbox.read_file("f", offset=3, limit=4)
    assert (part.data, part.size, part.sha256) == (b"3456", 10, None)


async def test_overwriting_keeps_the_mode_and_replaces_at_once(
    sandbox: Sandbox, workspace: Path
) -> None:
    script = workspace / "run.sh"
    script.write_text("old")
    script.chmod(0o751)
    before = script.open()
    await sandbox.write_file("run.sh", b"new")
    assert script.stat().st_mode & 0o777 == 0o751
    assert script.read_text() == "new"
    assert before.read() == "old"
    assert [path.name for path in workspace.iterdir()] == ["run.sh"]


async def test_an_empty_file_can_be_written_and_read(sandbox: Sandbox) -> None:
    await sandbox.write_file("empty", b"")
    assert (await sandbox.read_file("empty")).data == b""


async def test_a_write_that_expects_another_content_is_refused(sandbox: Sandbox) -> None:
    first = await sandbox.write_file("f", b"one", expected_sha256="")
    assert await refusal(sandbox.write_file("f", b"two", expected_sha256="")) == "changed"
    await sandbox.write_file("f", b"two", expected_sha256=first.sha256)
    stale = sandbox.write_file("f", b"three", expected_sha256=first.sha256)
    assert await refusal(stale) == "changed"
    gone = sandbox.write_file("other", b"x", expected_sha256=first.sha256)
    assert await refusal(gone) == "changed"
    assert (await sandbox.read_file("f")).data == b"two"


async def test_a_link_to_a_file_is_written_through(sandbox: Sandbox, workspace: Path) -> None:
    (workspace / "real").write_text("old")
    (workspace / "link").symlink_to("real")
    await sandbox.write_file("link", b"new")
    assert (workspace / "link").is_symlink()
    assert (workspace / "real").read_text() == "new"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("missing", "not_found"),
        ("folder", "is_directory"),
        ("fifo", "not_a_file"),
        ("link-to-fifo", "not_a_file"),
        ("/dev/zero", "not_a_file"),
        ("/dev/stdin", "not_a_file"),
        ("/proc/1/environ", "not_a_file"),
        ("/proc/self/mem", "not_a_file"),
        ("/proc/kmsg", "not_a_file"),
        ("circle", "invalid_path"),
        ("file/below", "invalid_path"),
        ("", "invalid_path"),
        ("nul\0", "invalid_path"),
        ("x" * 5000, "invalid_path"),
    ],
)
async def test_what_is_not_a_regular_file_is_refused_and_never_hangs(
    sandbox: Sandbox, workspace: Path, path: str, kind: str
) -> None:
    (workspace / "folder").mkdir()
    (workspace / "file").write_text("x")
    os.mkfifo(workspace / "fifo")
    (workspace / "link-to-fifo").symlink_to("fifo")
    (workspace / "circle").symlink_to("circle")
    assert await asyncio.wait_for(refusal(sandbox.read_file(path)), 5) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("folder", "is_directory"),
        ("folder/", "is_directory"),
        ("fifo", "not_a_file"),
        ("/dev/null", "not_a_file"),
        ("/proc/sys/kernel/hostname", "not_a_file"),
        ("file/below", "invalid_path"),
    ],
)
async def test_writing_to_what_is_not_a_regular_file_is_refused(
    sandbox: Sandbox, workspace: Path, path: str, kind: str
) -> None:
    (workspace / "folder").mkdir()
    (workspace / "file").write_text("x")
    os.mkfifo(workspace / "fifo")
    assert await asyncio.wait_for(refusal(sandbox.write_file(path, b"x")), 5) == kind


async def test_links_out_of_the_workspace_show_the_sandbox_and_not_the_host(
    sandbox: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of the host")
    (workspace / "out").symlink_to(tmp_path / "secret")
    (workspace / "up").symlink_to("../secret")
    for path in ("out", "up", "../secret", str(tmp_path / "secret")):
        assert await refusal(sandbox.read_file(path)) == "not_found"


async def test_a_read_only_workspace_refuses_writes(start: Start, workspace: Path) -> None:
    (workspace / "f").write_text("kept")
    sandbox = await start(read_only=True)
    assert await refusal(sandbox.write_file("f", b"x")) == "read_only"
    assert (await sandbox.read_file("f")).data == b"kept"


async def test_a_file_beyond_the_largest_size_is_refused_whole(
    start: Start, workspace: Path
) -> None:
    sandbox = await start(Limits(file_size=1 << 20))
    assert await refusal(sandbox.write_file("big", bytes(2 << 20))) == "too_large"
    assert list(workspace.iterdir()) == []


async def test_many_at_once_all_arrive(sandbox: Sandbox) -> None:
    blocks = {f"f{n}": os.urandom(300_000) for n in range(20)}
    await asyncio.gather(*(sandbox.write_file(path, data) for path, data in blocks.items()))
    read = await asyncio.gather(*(sandbox.read_file(path) for path in blocks))
    assert [one.data for one in read] == list(blocks.values())


async def test_a_small_reading_does_not_wait_for_a_long_writing(sandbox: Sandbox) -> None:
    await sandbox.write_file("small", b"x")
    writing = asyncio.create_task(sandbox.write_file("large", bytes(60 << 20)))
    await asyncio.sleep(0)
    assert (await sandbox.read_file("small")).data == b"x"
    assert not writing.done()
    assert (await writing).size == 60 << 20
