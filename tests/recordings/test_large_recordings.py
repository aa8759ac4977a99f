"""A session of 1,000 steps and 200 MB is opened, watched, searched and resumed in 100 MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.recordings.large_sessions import NEEDLE, record_large_session
from tests.sii_cli.terminal import clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(__name__)]

ID = "20261124-120000-000000"
ALLOWED = 100.0
"""MB, the interpreter and all modules included."""
COMMANDS = {
    "show": ("show", ID),
    "list": ("list",),
    "search": ("search", NEEDLE),
    "verify": ("verify", ID),
    "replay as a page": ("replay", ID, "--html", "replay.html"),
    "replay as a cast": ("replay", ID, "--cast", "replay.cast"),
    "scan": ("scan", ID),
    "fork": ("fork", ID, "--at", "9000"),
    "pack": ("pack", ID),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("large")
    folder = home / "recordings" / ID
    folder.mkdir(parents=True)
    record_large_session(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size > 200e6
    return home


def run(home: Path, *args: str, module: str = "tests.peak_memory") -> tuple[str, float]:
    """Run `sii`; return what it printed, and its peak memory in MB."""
    root = Path(__file__).parents[2]
    workspace = home.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", module, *args],
        env=clean_environment() | {"SII_HOME": str(home), "PYTHONPATH": str(root)},
        cwd=workspace,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, float(done.stderr.split()[-2])


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_holds_a_large_recording_in_memory(home: Path, command: str) -> None:
    printed, peak = run(home, *COMMANDS[command])
    assert peak < ALLOWED
    if command == "search":
        assert NEEDLE in printed
    if command == "verify":
        assert "1,000 requests" in printed


def test_a_large_session_goes_on(home: Path) -> None:
    args = ("-r", ID, "--workspace", str(home.parent / "workspace"), "-p", "Go on.")
    printed, peak = run(home, "summed-up", *args, module="tests.sii_cli.peak_memory_of_session")
    assert "Hello again" in printed
    assert peak < ALLOWED
