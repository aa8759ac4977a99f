"""The tutorial works as it is written: its commands are run in order, by a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.shown import ROOT, Block, blocks, lines_of
from tests.sii_cli.terminal import clean_environment

TUTORIAL = ROOT / "docs/tutorial.md"
INSTALLS = ("git clone", "make sandbox")
"""What the tests themselves were installed by."""
READERS_NUMBER = "72"
"""Stands in the tutorial for the event that the reader finds by the search before it."""


@pytest.mark.docker
@pytest.mark.slow
def test_the_tutorial_ends_with_a_sample(tmp_path: Path) -> None:
    environment = clean_environment() | {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
    }
    printed: dict[str, str] = {}
    for command in _commands():
        if "--at" in command:
            number = re.search(r"^\S+ +(\d+) +content", printed["sii search"], re.MULTILINE)
            assert number is not None
            command = command.replace(f"--at {READERS_NUMBER}", f"--at {number[1]}")
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        nothing_to_train = command.startswith("sii inspect-sample")
        assert done.returncode == (1 if nothing_to_train else 0), f"{command}\n{done.stderr}"
        printed[" ".join(command.split()[:2])] = done.stdout + done.stderr

    assert "Reproduced 8 of 8 observations" in printed["sii replay"]
    assert "flagged, written_turn" in printed["sii inspect-sample"]
    assert printed["sii export"].splitlines() == _said_of_the_export()
    assert len((tmp_path / "data/train.jsonl").read_text().splitlines()) == 1
    assert "short and right" not in (tmp_path / "data/train.jsonl").read_text()


def _commands() -> list[str]:
    shown = [one for block in blocks(TUTORIAL) for one in _typed(block)]
    return [one for one in shown if not one.startswith(INSTALLS)]


def _typed(block: Block) -> list[str]:
    """Return a block's commands; one with a text behind `<<` is the whole block."""
    if block.language != "console":
        return []
    if "<<" in block.text:
        return [block.text.removeprefix("$ ")]
    return [line for _, line in lines_of(block)]


def _said_of_the_export() -> list[str]:
    said = next(one for one in blocks(TUTORIAL) if one.text.startswith("1 sample"))
    return said.text.splitlines()
