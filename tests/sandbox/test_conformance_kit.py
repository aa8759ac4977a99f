"""The conformance kit tests a backend that is not sii's, outside of this repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MODULE = """
import pytest

from sandbox.bubblewrap.backend import BubblewrapBackend
from sandbox.conformance.bash import *
from sandbox.conformance.fixtures import *


class Theirs(BubblewrapBackend):
    async def start(self, spec):
        sandbox = await super().start(spec)
        {change}
        return sandbox


@pytest.fixture
def backend():
    return Theirs()
"""


def run_kit(folder: Path, change: str) -> subprocess.CompletedProcess[str]:
    module = folder / "test_theirs.py"
    module.write_text(textwrap.dedent(MODULE).format(change=change))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "both_outputs"]
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-c", "/dev/null", str(module)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_it_accepts_a_backend_that_keeps_the_protocol_and_no_other(tmp_path: Path) -> None:
    kept = run_kit(tmp_path, "pass")
    assert "1 passed" in kept.stdout, kept.stdout
    broken = run_kit(
        tmp_path, "sandbox.bash = lambda command: super(type(sandbox), sandbox).bash('true')"
    )
    assert "1 failed" in broken.stdout, broken.stdout
    assert "assert b'' == b'one" in broken.stdout, "assertions are explained"
