"""The process that guards containers which are being made: it ends with its client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.sii_cli.terminal import clean_environment

USES_A_GUARD = """
from sandbox.docker.backend import _guard
guard = _guard("/nowhere/docker.sock")
guard.watch("sii-0123456789ab")
guard.release("sii-0123456789ab")
print(guard._process.pid)
"""


def test_a_client_that_ends_leaves_no_guard_and_no_open_pipe() -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", USES_A_GUARD]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path("/proc", done.stdout.strip()).exists()
