"""The disk limit: however the disk is filled, it is noticed in time, ended, and told.

Some fill it where nobody looks: outside the workspace, in files without a name, behind closed
directories, with files that hold nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sandbox
from sandbox.protocol import Limits, Sandbox, SandboxBackend, SandboxSpec
from sandbox.runner import disk
from sandbox.runner.disk import DiskWatch, written_since
from sandbox.runner.loop import EventLoop
from sandbox.runner.processes import SandboxProcesses
from tests.sandbox.conftest import IMAGE, Start
from tools.command_text import command_result

MIB = 1 << 20
SMALL = Limits(disk=64 * MIB)


async def tidies_up(sandbox: Sandbox, command: str) -> bool:
    return (await sandbox.bash(f"{command}; echo alive")).output == b"alive\n"


async def test_many_files_in_the_workspace(start: Start) -> None:
    sandbox = await start(SMALL)
    await sandbox.bash("x=lost")
    result = await sandbox.bash(
        "while :; do n=$((n + 1)); head -c 8M /dev/zero > f$n; sleep 0.05; done", timeout=30
    )
    assert not result.timed_out
    assert "disk" in result.limits_hit
    assert result.lost_state is not None
    assert "the disk limit was reached" in command_result(result, "shell").text
    assert await tidies_up(sandbox, "rm f*")


async def test_the_runner_comes_before_commands_that_would_keep_it_from_looking(
    start: Start,
) -> None:
    sandbox = await start()
    runner = int((await sandbox.bash("cut -d' ' -f19 /proc/1/stat")).output)
    await sandbox.start_job("nice > nice")
    python = await sandbox.python("import os; os.getpriority(os.PRIO_PROCESS, 0)")
    shell = await sandbox.bash("until [ -s nice ]; do sleep 0.01; done; cat nice; nice")
    values = [int(nice) for nice in (shell.output + python.output).split()]
    assert len(values) == 3
    assert runner < min(values)


@pytest.mark.docker
async def test_one_large_file_outside_the_workspace(workspace: Path) -> None:
    from sandbox.docker.backend import DockerBackend

    sandbox = await DockerBackend().start(SandboxSpec(workspace, IMAGE, SMALL))
    try:
        bomb = "head -c 20G /dev/zero > ~/bomb || head -c 20G /dev/zero > /var/tmp/bomb"
        result = await sandbox.bash(bomb, timeout=60)
        assert "disk" in result.limits_hit
        assert "outside the workspace counts" in command_result(result, "shell").text
        size = await sandbox.bash("stat -c %s ~/bomb")
        assert int(size.output) < 8 << 30
        assert await tidies_up(sandbox, "rm -f ~/bomb")
    finally:
        await sandbox.close()


async def test_a_file_without_a_name(start: Start) -> None:
    sandbox = await start(SMALL)
    code = (
        "import os, time\n"
        "file = open('f', 'wb'); os.unlink('f')\n"
        "while True: file.write(bytes(8 << 20)); file.flush(); time.sleep(0.05)"
    )
    result = await sandbox.python(code, timeout=30)
    assert "disk" in result.limits_hit


async def test_behind_a_closed_directory(start: Start) -> None:
    sandbox = await start(SMALL)
    result = await sandbox.bash(
        "mkdir d; cd d; exec 3>f; chmod 0 .; "
        "while :; do head -c 8M /dev/zero >&3; sleep 0.05; done",
        timeout=30,
    )
    assert "disk" in result.limits_hit
    assert await tidies_up(sandbox, "chmod 700 /workspace/d; rm -r /workspace/d")


async def test_files_that_hold_nothing(start: Start) -> None:
    sandbox = await start(Limits(disk=8 * MIB))
    code = "n = 0\nwhile True:\n  open(f'f{n}', 'w').close()\n  n += 1"
    result = await sandbox.python(code, timeout=60)
    assert "disk" in result.limits_hit
    await sandbox.bash("rm -f /workspace/f*", fresh=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 128 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=777", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_what_no_count_can_see_is_ended_before_the_machines_disk_is_full(
    backend: SandboxBackend, small_disk: Path
) -> None:
    sandbox = await backend.start(SandboxSpec(small_disk, IMAGE, Limits(disk=16 * MIB)))
    code = """
import os, socket, time
sender, receiver = socket.socketpair()
while True:
    fd = os.open('f', os.O_RDWR | os.O_CREAT)
    try:
        os.write(fd, bytes(1 << 20))
    except OSError:
        time.sleep(1)
    socket.send_fds(sender, [b'held'], [fd])
    os.close(fd)
    os.unlink('f')
    time.sleep(0.02)
"""
    try:
        result = await sandbox.python(code, timeout=60)
        assert "machine_disk" in result.limits_hit
        assert "the machine's disk is nearly full" in command_result(result, "interpreter").text
        free = os.statvfs(small_disk)
        assert free.f_bavail > free.f_blocks // 2
        assert await tidies_up(sandbox, "true")
    finally:
        await sandbox.close()


def test_what_others_write_is_not_called_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk._OpenFiles, "files", lambda self: iter(()))  # of the whole machine
    (tmp_path / "before").write_bytes(bytes(MIB))
    time.sleep(0.02)
    begin = time.time()
    time.sleep(0.02)
    (tmp_path / "after").write_bytes(bytes(MIB))
    written = written_since([str(tmp_path)], begin, 100 * MIB)
    assert MIB <= written < 2 * MIB


def test_the_watch_forgives_growth_that_was_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter([0, 100 * MIB, 100 * MIB, 190 * MIB, 210 * MIB])
    monkeypatch.setattr(DiskWatch, "_used", lambda self: next(used))
    asked: list[int] = []
    full: list[str] = []

    def count(then: Callable[[int], None]) -> None:
        asked.append(len(asked))
        then(0 if len(asked) == 1 else 70 * MIB)

    watch = DiskWatch(
        _NoLoop(),
        [str(tmp_path)],
        64 * MIB,
        NOTHING,
        count,
        lambda: full.append("ours"),
        lambda: full.append("the machine's"),
    )
    for _ in range(3):
        watch._look()
    assert asked == [0, 1]
    assert full == ["ours"]


def test_what_was_written_before_the_end_ends_nothing_that_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter(mib * MIB for mib in (0, 70, 110, 110, 130, 130))
    monkeypatch.setattr(DiskWatch, "_used", lambda self: next(used))
    ended: list[str] = []
    watch = DiskWatch(
        _NoLoop(),
        [str(tmp_path)],
        64 * MIB,
        NOTHING,
        lambda then: then(70 * MIB),
        lambda: ended.append("ours"),
        lambda: ended.append("the machine's"),
    )
    watch._look()
    watch._look()
    assert ended == ["ours"], "nothing was written since"
    watch._look()
    assert ended == ["ours", "ours"]


STOPPED_UNSEEN = """
import os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from runner.processes import SandboxProcesses
assert os.getpid() == 1
processes = SandboxProcesses(set)
scripts = ("sleep 1 & sleep 1 & wait; echo rc $?", "sleep 1; echo rc $?",
    "sleep 1 | cat; echo rc $?", "for i in $(seq 100); do /bin/true || echo bad; done; echo rc $?")
running = [
    subprocess.Popen(["bash", "-c", "set -m; " + one], stdout=subprocess.PIPE, stderr=-2)
    for one in scripts
]
time.sleep(0.3)
for _ in range(20):
    processes.stop(); time.sleep(0.01); processes.resume(); time.sleep(0.02)
for one in running:
    print(one.communicate(timeout=20)[0].decode())
"""


def test_no_shell_sees_that_it_was_stopped() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a namespace of processes needs root and unshare")
    folder = str(Path(sandbox.__file__).parent)
    argv = ["unshare", "-pf", "--mount-proc", sys.executable, "-c", STOPPED_UNSEEN, folder]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.count("rc 0\n") == 4
    assert "Stopped" not in done.stdout
    assert "bad" not in done.stdout


class _Nothing(SandboxProcesses):
    """Stands for all processes: those of this machine are not to be stopped."""

    def __init__(self) -> None:
        pass

    def stop(self, is_urgent: Callable[[], bool] = bool) -> None:
        pass

    def resume(self) -> None:
        pass


NOTHING = _Nothing()


class _NoLoop(EventLoop):
    def __init__(self) -> None:
        pass

    def call_later(self, seconds: float, callback: object) -> None:  # type: ignore[override]
        pass
