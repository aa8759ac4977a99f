"""What a sandbox is started with: environment, mounts, set-up, a workspace to read only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.protocol import Limits, Mount, SandboxUnavailable
from sandbox.runner.frames import FrameDecoder, FrameError, encode, read_frame
from tests.sandbox.conftest import Start


async def why_not(start: Start, **fields: object) -> str:
    with pytest.raises(SandboxUnavailable) as refused:
        await start(**fields)
    return str(refused.value)


async def test_the_environment_reaches_shell_python_and_programs(start: Start) -> None:
    sandbox = await start(env={"COLOUR": "grün = green"})
    assert (await sandbox.bash("echo $COLOUR")).output == "grün = green\n".encode()
    shown = await sandbox.python("import os; print(os.environ['COLOUR'])")
    assert shown.output == "grün = green\n".encode()
    program = await sandbox.run(["sh", "-c", "echo $COLOUR"])
    assert program.stdout == "grün = green\n".encode()


async def test_a_secret_in_the_environment_stands_on_no_command_line(start: Start) -> None:
    secret = "s3cret-of-the-environment"
    await start(env={"TOKEN": secret})
    assert not [line for line in command_lines() if secret.encode() in line]


def command_lines() -> Iterator[bytes]:
    """Every process's, as any user of the machine can read it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


async def test_mounts_can_be_read_and_not_written(start: Start, tmp_path: Path) -> None:
    extra, file = tmp_path / "extra", tmp_path / "file"
    extra.mkdir()
    (extra / "f").write_text("shown ")
    file.write_text("alone")
    sandbox = await start(mounts=(Mount(extra, "/data/set"), Mount(file, "/mnt/one")))
    result = await sandbox.bash("cat /data/set/f /mnt/one; touch /data/set/g; echo > /mnt/one")
    assert result.output.startswith(b"shown alone")
    assert result.output.count(b"Read-only file system") == 2
    assert (await sandbox.read_file("/data/set/f")).data == b"shown "


async def test_a_data_set_of_one_file_keeps_its_name(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "part.csv"
    file.write_text("film\n")
    sandbox = await start(mounts=(Mount(file, "/data/films/part.csv"),))
    result = await sandbox.bash("ls -R /data; cat /data/films/part.csv; rm /data/films/part.csv")
    assert result.output.startswith(b"/data:\nfilms\n\n/data/films:\npart.csv\nfilm\n")
    assert file.read_text() == "film\n"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("relative", "absolute"),
        ("/", "not the root"),
        ("/data/../etc", "absolute"),
        ("/workspace/data", "/workspace has its own use"),
        ("//opt/sii/runner", "/opt/sii has its own use"),
        ("//tmp", "/tmp has its own use"),
        ("/opt", "/opt/sii has its own use"),
        ("/proc/1", "/proc has its own use"),
    ],
)
async def test_a_mount_where_something_else_belongs_is_refused(
    start: Start, tmp_path: Path, target: str, words: str
) -> None:
    assert words in await why_not(start, mounts=(Mount(tmp_path, target),))


async def test_a_mount_of_nothing_is_refused(start: Start, tmp_path: Path) -> None:
    words = await why_not(start, mounts=(Mount(tmp_path / "gone", "/data"),))
    assert words == f"{tmp_path}/gone cannot be mounted: No such file or directory."


@pytest.mark.docker
async def test_the_engines_socket_is_never_mounted(start: Start, backend: object) -> None:
    if type(backend).__name__ != "DockerBackend":
        pytest.skip("has no engine")
    for path in ("/var/run/docker.sock", "/run", "/"):
        assert "socket" in await why_not(start, mounts=(Mount(Path(path), "/data"),))


async def test_what_is_set_up_is_there_for_the_first_command(start: Start) -> None:
    sandbox = await start(setup=("export COLOUR=blue; cd /tmp", "f() { echo $COLOUR in $PWD; }"))
    assert (await sandbox.bash("f")).output == b"blue in /tmp\n"


async def test_a_set_up_command_that_fails_is_told_with_its_output(
    start: Start, workspace: Path
) -> None:
    words = await why_not(start, setup=("echo yes > set-up", "echo no; false"))
    assert words == "The set-up command 'echo no; false' ended with 1: no"
    assert (workspace / "set-up").read_text() == "yes\n"


async def test_a_set_up_command_that_loses_what_was_set_up_before_is_told(start: Start) -> None:
    words = await why_not(start, setup=("export COLOUR=blue", "exit 0"))
    assert words.startswith("The set-up command 'exit 0' ended with 0, and the shell ended")


async def test_a_set_up_command_after_which_the_shell_hears_nothing_is_told(start: Start) -> None:
    words = await why_not(start, setup=("set -n",))
    assert "could not be run to its end, for the shell was restarted" in words
    assert "signal" not in words


async def test_a_set_up_command_that_does_not_end_is_told(start: Start) -> None:
    limits = Limits(command_timeout_max=0.3)
    words = await why_not(start, limits=limits, setup=("echo waiting; sleep 60",))
    assert words.startswith("The set-up command 'echo waiting; sleep 60' was ended after")
    assert "s: waiting" in words


async def test_a_workspace_that_can_only_be_read(start: Start, workspace: Path) -> None:
    (workspace / "f").write_text("x")
    sandbox = await start(read_only=True)
    result = await sandbox.bash("cat f; touch g; echo y > f; rm -f f; touch /tmp/g && echo fine")
    assert result.output.startswith(b"x")
    assert result.output.count(b"Read-only file system") == 3
    assert result.output.endswith(b"fine\n")


def test_a_frame_is_read_and_not_a_byte_more() -> None:
    stream = bytearray(encode({"a": 1}, b"body") + encode({"b": 2}))

    def read(size: int) -> bytes:
        data = bytes(stream[: min(size, 3)])
        del stream[: len(data)]
        return data

    assert read_frame(read) == ({"a": 1}, b"body")
    assert FrameDecoder().feed(bytes(stream)) == [({"b": 2}, b"")]
    del stream[5:]
    with pytest.raises(FrameError, match="ended"):
        read_frame(read)
