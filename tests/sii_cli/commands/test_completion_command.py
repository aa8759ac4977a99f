"""`sii completion`: scripts for shells, and what a shell gets when it asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sii_cli.commands.group import COMMANDS
from tests.sii_cli.shell import Shell

SII = [sys.executable, "-m", "sii_cli"]


def completed(words: str, home: Path) -> list[str]:
    """What bash gets for the last of these words."""
    env = os.environ | {
        "SII_HOME": str(home),
        "_SII_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(SII, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.removeprefix("plain,") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_the_script_is_that_of_the_shell(shell: Shell, shell_name: str) -> None:
    done = shell.sii("completion", shell_name)
    assert done.returncode == 0
    assert f"{shell_name}_complete" in done.stdout
    if shutil.which(shell_name):
        subprocess.run([shell_name, "-n"], input=done.stdout, text=True, check=True)


def test_an_unknown_shell_is_a_usage_error(shell: Shell) -> None:
    assert shell.sii("completion", "tcsh").returncode == 2


def test_commands_are_completed(tmp_path: Path) -> None:
    assert completed("sii ", tmp_path) == list(COMMANDS)
    assert completed("sii re", tmp_path) == [name for name in COMMANDS if name.startswith("re")]


def test_options_are_completed_at_the_prompt_and_of_commands(tmp_path: Path) -> None:
    assert "--allow-net" in completed("sii --allow", tmp_path)
    assert "--concurrency" in completed("sii batch --conc", tmp_path)
    assert "--max-steps" in completed("sii -p x --max", tmp_path)


def test_after_an_unknown_command_nothing_is_printed_as_an_error(tmp_path: Path) -> None:
    assert "--prompt" in completed("sii unknown --", tmp_path)


def test_completing_makes_no_home(tmp_path: Path) -> None:
    completed("sii ", tmp_path / "home")
    assert not (tmp_path / "home").exists()
