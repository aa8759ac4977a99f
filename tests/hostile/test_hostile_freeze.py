"""A program that is frozen in C ends when it is told to, and one that is not is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recordings.events import Observation, SessionEnd
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.session import watchdog
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import ROOT, Terminal

pytestmark = pytest.mark.hostile


def argv(begun: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "tests.hostile.frozen_sii", str(begun), *args]


def start(shell: Shell, begun: Path) -> subprocess.Popen[str]:
    env = {**shell.env, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(argv(begun, "-p", "Go."), env=env, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.02)
    time.sleep(0.3)


def first_call_is_kept(shell: Shell) -> None:
    observations = [e.data for e in read_events(shell.last()) if isinstance(e.data, Observation)]
    assert [one.text for one in observations] == ["good"]


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_frozen_session_ends_when_it_is_told_to(
    shell: Shell, tmp_path: Path, signals: list[signal.Signals]
) -> None:
    begun = tmp_path / "begun"
    sii = start(shell, begun)
    wait_for(begun)
    for number in signals:
        sii.send_signal(number)
        time.sleep(0.1)
    told = time.monotonic()
    _, said = sii.communicate(timeout=60)
    assert watchdog.PATIENCE - 0.5 < time.monotonic() - told < watchdog.PATIENCE + 2
    assert "did not react to a request to stop" in said
    first_call_is_kept(shell)


def frozen_after_a_signal() -> subprocess.Popen[str]:
    """Start a program that freezes once it has heard SIGINT, and let it."""
    command = [sys.executable, "-m", "tests.hostile.freezing"]
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "heard\n"
    return program


def test_a_stop_is_heard_behind_many_signals_that_a_frozen_program_did_not_read() -> None:
    program = frozen_after_a_signal()
    for _ in range(600):
        program.send_signal(signal.SIGWINCH)
        time.sleep(0.002)
    program.send_signal(signal.SIGTERM)
    try:
        assert program.wait(timeout=watchdog.PATIENCE + 10) == -signal.SIGKILL
    finally:
        program.kill()


def test_one_ctrl_c_leaves_a_frozen_session_alone(shell: Shell, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    sii = start(shell, begun)
    wait_for(begun)
    sii.send_signal(signal.SIGINT)
    time.sleep(watchdog.PATIENCE + 1)
    assert sii.poll() is None
    sii.kill()
    sii.wait()


def test_a_frozen_prompt_ends_at_the_second_ctrl_c(shell: Shell, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    env = {**shell.env, "PYTHONPATH": str(ROOT)}
    terminal = Terminal(argv(begun), cwd=shell.workspace, env=env)
    terminal.wait_for("sandbox ready")
    terminal.send("Go.\r")
    wait_for(begun)
    terminal.send("\x03")
    time.sleep(0.3)  # two at the same moment are one signal
    terminal.send("\x03")
    told = time.monotonic()
    terminal.wait_for("did not react to a request to stop")
    assert time.monotonic() - told < watchdog.PATIENCE + 2
    first_call_is_kept(shell)


@pytest.mark.parametrize("later", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_what_freezes_after_it_heard_a_signal_ends_by_later_ones(
    later: list[signal.Signals],
) -> None:
    program = frozen_after_a_signal()
    time.sleep(watchdog.PATIENCE + 0.5)
    assert program.poll() is None
    for number in later:
        program.send_signal(number)
        time.sleep(0.1)
    assert program.wait(timeout=watchdog.PATIENCE + 10) == -signal.SIGKILL


def test_a_frozen_batch_ends_and_what_was_completed_stays(shell: Shell, tmp_path: Path) -> None:
    queries = shell.workspace / "queries.jsonl"
    queries.write_text('{"id": "a", "query": "Go."}\n{"id": "b", "query": "Go."}\n')
    begun = tmp_path / "begun"
    env = {**shell.env, "PYTHONPATH": str(ROOT)}
    command = argv(begun, "batch", str(queries), "--out", "out", "--concurrency", "1")
    sii = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(begun)
        sii.send_signal(signal.SIGTERM)
        _, said = sii.communicate(timeout=30)
    finally:
        sii.kill()
    assert b"did not react to a request to stop" in said
    (folder,) = Path("out", "recordings").iterdir()
    texts = [e.data.text for e in read_events(folder) if isinstance(e.data, Observation)]
    assert texts == ["good"]


def test_a_frozen_replay_ends_at_the_second_ctrl_c(shell: Shell, tmp_path: Path) -> None:
    shell.sii("-p", "Go.", script="freeze-at-replay")
    begun = tmp_path / "begun"
    env = {**shell.env, "PYTHONPATH": str(ROOT)}
    command = argv(begun, "replay", "last", "--execute", "--workspace", str(shell.workspace))
    sii = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(begun)
        for _ in range(2):
            sii.send_signal(signal.SIGINT)
            time.sleep(0.1)
        sii.communicate(timeout=30)
    finally:
        sii.kill()
    assert sii.returncode != 0


@pytest.mark.parametrize("unread", [[], [signal.SIGINT]])
def test_a_child_ends_with_its_program(
    shell: Shell, tmp_path: Path, unread: list[signal.Signals]
) -> None:
    begun = tmp_path / "begun"
    sii = start(shell, begun)
    wait_for(begun)
    (child,) = [pid for pid in children(sii.pid) if "watchdog_child" in command_of(pid)]
    for number in unread:
        sii.send_signal(number)
        time.sleep(0.3)
    sii.kill()
    sii.wait()
    end = time.monotonic() + 10
    while command_of(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not command_of(child)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.mark.parametrize("leave", ["SIGTERM", "Ctrl-D, then SIGTERM", "Ctrl-D, then Ctrl-C"])
def test_a_prompt_that_is_stopped_waits_a_second_at_most_for_its_last_snapshot(
    shell: Shell, leave: str
) -> None:
    terminal = shell.terminal(script="slow-snapshots")
    terminal.wait_for("sandbox ready")
    terminal.send("Go.\r")
    terminal.wait_for("All")
    if leave.startswith("Ctrl-D"):
        terminal.send("\x1b")
        terminal.wait_for("Interrupted")
        terminal.send("\x04")
        terminal.pump(1.0)
        assert terminal.child.isalive()
    told = time.monotonic()
    if leave.endswith("Ctrl-C"):
        terminal.send("\x03")
    else:
        terminal.child.kill(signal.SIGTERM)
    assert terminal.exit_code() == 0
    assert time.monotonic() - told < 8
    ends_whole(shell)


def test_a_headless_session_that_is_stopped_waits_a_second_at_most_for_its_last_snapshot(
    shell: Shell,
) -> None:
    command = shell.argv("-p", "Go.", script="slow-snapshots")
    sii = subprocess.Popen(command, cwd=shell.workspace, env=shell.env)
    wait_for(shell.workspace / "made.txt")
    time.sleep(1.0)
    sii.send_signal(signal.SIGTERM)
    assert sii.wait(timeout=8) != 0
    ends_whole(shell)


def ends_whole(shell: Shell) -> None:
    assert verify(shell.last()).whole
    (made,) = [e.data for e in read_events(shell.last()) if isinstance(e.data, Observation)]
    assert not made.error
    assert isinstance([*read_events(shell.last())][-1].data, SessionEnd)


async def slow_to_leave() -> str:
    import asyncio

    left = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, left.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await left.wait()
    for _ in range(30):
        await asyncio.sleep(0.1)
    return "left"


def test_a_slow_end_is_left_alone() -> None:
    assert watchdog.run(slow_to_leave()) == "left"
    assert signal.set_wakeup_fd(-1) == -1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
