"""How fast `sii` starts. The limits are generous, for busy machines; what is imported is exact."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sii_cli.terminal import Terminal, clean_environment

SLOW = {"click", "rich", "prompt_toolkit", "pydantic", "aiohttp", "httpx", "docker", "asyncio"}
SLOW_FOR_A_PROMPT = {
    "rich",
    "pydantic",
    "aiohttp",
    "httpx",
    "docker",
    "ddgs",
    "trafilatura",
    "tiktoken",
}


def imported(code: str) -> set[str]:
    """Return the names of the packages that are there after some code."""
    script = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_version_imports_nothing_slow() -> None:
    code = "sys.argv = ['sii', '--version']\nfrom sii_cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass"
    assert not imported(code) & SLOW


def test_the_prompt_takes_keys_before_anything_slow_is_imported() -> None:
    code = "import sii_cli.commands.group, sii_cli.commands.prompt, sii_cli.prompt.start"
    assert not imported(code) & SLOW_FOR_A_PROMPT


def test_a_replay_shows_its_beginning_before_what_formats_answers_is_imported() -> None:
    code = "import sii_cli.commands.group, sii_cli.commands.replay, sii_cli.player.player"
    assert not imported(code) & {"markdown_it", "pygments", "httpx", "docker"}


def test_a_review_shows_its_beginning_before_what_draws_it_is_imported() -> None:
    code = "import sii_cli.commands.group, sii_cli.commands.review, sii_cli.review.full_screen\n"
    code += "from sii_cli.options.settings import load_for_recordings\nload_for_recordings()\n"
    code += "assert not sys.modules.keys() & {'tools.registry', 'sandbox.snapshots'}"
    assert not imported(code) & {"markdown_it", "pygments", "httpx"}


@pytest.mark.alone
def test_the_version_is_there_at_once() -> None:
    def seconds() -> float:
        begun = time.monotonic()
        command = [sys.executable, "-m", "sii_cli.main", "--version"]
        subprocess.run(command, env=clean_environment(), check=True, capture_output=True)
        return time.monotonic() - begun

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.slow
@pytest.mark.alone
def test_the_prompt_takes_keys_soon(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def seconds() -> float:
        argv = [sys.executable, "-m", "sii_cli.main"]
        terminal = Terminal(argv, cwd=workspace, env={"SII_HOME": str(tmp_path / "home")})
        terminal.send("key")
        terminal.wait_for("› key")
        taken = time.monotonic() - terminal.started
        terminal.child.close(force=True)
        return taken

    assert min(seconds() for _ in range(3)) < 1.2


def test_ctrl_c_while_the_program_is_imported_shows_no_traceback() -> None:
    code = """if True:
    import os, signal, sys
    class Interrupting:
        def find_spec(self, name, path=None, target=None):
            if name == "sii_cli.errors":
                os.kill(os.getpid(), signal.SIGINT)
    sys.modules["__main__"].__file__ = "sii"
    sys.meta_path.insert(0, Interrupting())
    import sii_cli.main
    """
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
