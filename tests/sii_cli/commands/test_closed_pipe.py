"""A reader that leaves (`sii list | head`) ends every command in silence."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sii_cli.errors import FAILED, OUTPUT_CLOSED
from tests.sii_cli.shell import Shell

COMMANDS = (
    "--help",
    "completion bash",
    "config",
    "config --json",
    "doctor",
    "inspect-sample",
    "list",
    "list --json",
    "replay",
    "review --help",
    "reviews last",
    "scan",
    "search Do",
    "search Do --json",
    "show",
    "stats",
    "stats --json",
    "status",
    "status --json",
    "tree last",
    "verify --all",
)


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def run(shell: Shell, command: str, out: int, err: int) -> tuple[int, bytes | None]:
    done = subprocess.run(
        [sys.executable, "-m", "sii_cli.main", *shlex.split(command)],
        cwd=shell.workspace,
        env=shell.env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_leaves_ends_a_command_in_silence(
    shell: Shell, closed_pipe: int, command: str
) -> None:
    shell.sii("-p", "Do it", script="work")
    assert run(shell, command, closed_pipe, subprocess.PIPE) == (OUTPUT_CLOSED, b"")


@pytest.mark.parametrize(
    "command", ["list", "search nothing", "show no-such-id", "list --nonsense"]
)
def test_a_reader_of_errors_may_leave_too(shell: Shell, closed_pipe: int, command: str) -> None:
    assert run(shell, command, closed_pipe, closed_pipe) == (OUTPUT_CLOSED, None)


@pytest.mark.parametrize("command", ["--version", "list --json"])
def test_a_full_disk_behind_the_output_is_a_sentence(shell: Shell, command: str) -> None:
    shell.recorded()
    with open("/dev/full", "wb") as full:
        code, said = run(shell, command, full.fileno(), subprocess.PIPE)
    assert code == FAILED
    assert said == b"sii: No space left on device: free some space, or write elsewhere.\n"
