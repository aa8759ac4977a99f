"""The shell and the interpreter: what a model reads of how a command ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.protocol import CommandResult
from tests.fakes.fake_sandbox import FakeSandbox
from tools.base import ToolError, ToolResult
from tools.bash import Bash, BashParams
from tools.command_text import command_result
from tools.python import Python, PythonParams


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[FakeSandbox]:
    sandbox = FakeSandbox(tmp_path)
    yield sandbox
    await sandbox.close()


def ended(
    output: bytes = b"out\n", exit_code: int | None = 0, seconds: float = 1.0, **how: Any
) -> ToolResult:
    return command_result(CommandResult(output, exit_code, seconds, **how), "shell")


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, "out"),
        ({"output": b""}, "(no output)"),
        ({"output": b"\n"}, "(no output)"),
        ({"exit_code": 1}, "out\n[exit code 1]"),
        ({"output": b"", "exit_code": 2}, "[exit code 2]"),
        ({"exit_code": 139}, "out\n[exit code 139 (SIGSEGV)]"),
        ({"exit_code": 137, "signal": 9}, "out\n[exit code 137 (SIGKILL)]"),
        ({"exit_code": 255}, "out\n[exit code 255]"),
        ({"exit_code": 137}, "out\n[exit code 137 (SIGKILL)]"),
        (
            {"exit_code": 137, "limits_hit": ("memory",)},
            "out\n[exit code 137 (SIGKILL)]\n"
            "[the memory limit was reached and a process was killed]",
        ),
        (
            {"limits_hit": ("memory",)},
            "out\n[the memory limit was reached and a process was killed]",
        ),
        (
            {"exit_code": None, "signal": 9, "limits_hit": ("disk",)},
            "out\n[killed by signal 9 (SIGKILL)]\n"
            "[the disk limit was reached (what is written outside the workspace counts too) and "
            "everything that ran was ended: make room before you go on]",
        ),
        (
            {"exit_code": 1, "limits_hit": ("pids", "tmp", "open_files", "file_size")},
            "out\n[exit code 1]\n[/tmp is full]\n[the limit on the size of one file was reached]\n"
            "[the limit on processes was reached: some could not be started]\n"
            "[the limit on open files was reached]",
        ),
        (
            {"exit_code": None, "timed_out": True, "limits_hit": ("time",)},
            "out\n[timed out after 1 s; the shell and its state are kept]",
        ),
        (
            {"exit_code": None, "signal": 9},
            "out\n[killed by signal 9 (SIGKILL)]",
        ),
        ({"exit_code": None, "signal": 15}, "out\n[killed by signal 15 (SIGTERM)]"),
        (
            {"exit_code": None, "timed_out": True, "seconds": 120.2},
            "out\n[timed out after 120 s; the shell and its state are kept]",
        ),
        (
            {"exit_code": None, "timed_out": True, "lost_state": "a new shell: variables are lost"},
            "out\n[timed out after 1 s]\n[a new shell: variables are lost]",
        ),
        (
            {"exit_code": 3, "lost_state": "a new shell: variables are lost"},
            "out\n[exit code 3]\n[a new shell: variables are lost]",
        ),
    ],
)
def test_how_a_command_ended_in_words(how: dict[str, Any], text: str) -> None:
    assert ended(**how).text == text


def test_output_that_is_held_open_is_said() -> None:
    assert "a background process still holds" in ended(output_held=True).text


@pytest.mark.parametrize(
    "last_words",
    [
        b"EOFError: EOF when reading a line",
        b"stty: 'standard input': Inappropriate ioctl for device",
        b"the input device is not a TTY",
        b"error: There was a problem with the editor 'false'.",
        b"fatal: could not read Username: terminal prompts disabled",
        b"Do you want to continue? [Y/n] Abort.",
        b"bash: /dev/tty: No such device or address",
        b"sudo: a terminal is required to read the password",
    ],
)
def test_a_command_that_wanted_input_gets_a_hint(last_words: bytes) -> None:
    hint = "[it seems to have wanted input or a terminal, and there is none"
    assert hint in ended(b"begun\n" + last_words + b"\n", exit_code=1).text
    assert hint not in ended(last_words, exit_code=0).text
    assert hint not in ended(last_words + b"\n" * 5000, exit_code=1).text


def test_output_that_was_not_kept_is_said() -> None:
    flood = ended(b"ab\ncd\n", dropped=5, dropped_at=3, limits_hit=("output",))
    lost = "[... 5 bytes in more than 0 lines left out, 5 of them lost to the output limit ...]"
    assert flood.text == f"ab\n{lost}\ncd"


def test_what_the_network_refused_is_said_where_the_output_does_not() -> None:
    sentence = "The host a.test at port 443 is not allowed from this sandbox; allowed: b.test."
    silent = ended(b"curl: (56) CONNECT tunnel failed, response 403\n", 56, refused=(sentence,))
    assert silent.text.endswith(f"[exit code 56]\n[{sentence}]")
    assert ended(sentence.encode(), refused=(sentence,)).text == sentence


def test_only_a_timeout_is_an_error() -> None:
    assert ended(exit_code=1).error is None
    assert ended(exit_code=None, timed_out=True).error == "timeout"


def test_the_raw_output_is_kept_where_the_text_is_not_it() -> None:
    assert ended(b"plain\n").full is None
    assert ended("größer".encode(), exit_code=1).full is None
    coloured = b"\x1b[31mred\x1b[0m\n"
    assert ended(coloured).full == coloured
    assert ended(b"1%\r2%\n").full == b"1%\r2%\n"
    long = b"line\n" * 50_000
    assert ended(long).full == long
    assert ended(long).cut is not None
    assert ended(b"ab", dropped=5, dropped_at=1).full == b"ab"


async def test_the_shell_is_kept_and_its_output_streams(sandbox: FakeSandbox) -> None:
    bash = Bash(sandbox.provide)
    pieces: list[bytes] = []
    await bash.run(BashParams(command="mkdir d; cd d; x=5"), pieces.append)
    result = await bash.run(BashParams(command="pwd; echo $x; echo err >&2"), pieces.append)
    assert result.text.splitlines() == [f"{sandbox.workspace}/d", "5", "err"]
    assert b"".join(pieces).decode() == f"{result.text}\n"


async def test_a_command_that_runs_too_long_is_ended(sandbox: FakeSandbox) -> None:
    result = await Bash(sandbox.provide).run(
        BashParams(command="echo begun; sleep 60", timeout=1), lambda output: None
    )
    assert result.text == "begun\n[timed out after 1 s; the shell and its state are kept]"
    assert result.error == "timeout"


async def test_a_command_with_a_nul_character_is_refused(sandbox: FakeSandbox) -> None:
    with pytest.raises(ToolError, match="NUL"):
        await Bash(sandbox.provide).run(BashParams(command="echo a\0b"), lambda output: None)


async def test_the_interpreter_is_kept_until_it_is_restarted(sandbox: FakeSandbox) -> None:
    python = Python(sandbox.provide)

    async def run(code: str, **params: Any) -> ToolResult:
        return await python.run(PythonParams(code=code, **params), lambda output: None)

    assert (await run("x = 20")).text == "(no output)"
    assert (await run("print('hi')\nx + 1")).text == "hi\n21"
    failed = await run("1 / 0")
    assert failed.exit_code == 1
    assert "ZeroDivisionError" in failed.text
    assert (await run("'x' in globals()", restart=True)).text == "False"
