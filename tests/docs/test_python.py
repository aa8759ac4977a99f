"""The Python in the documents runs: each section of `python.md` as one program."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.store.store import RecordingStore
from recordings.trust.first_start import working_key
from tests.docs.shown import ROOT, blocks
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.terminal import clean_environment

PAGE = ROOT / "docs/reference/python.md"
SESSION = [Turn("I look.", [("bash", {"command": "ls"})]), Turn("There is one file.")]
"""What the model of the examples says."""


def _sections() -> Iterator[Any]:
    """Yield the Python of each section; one that runs sessions needs a sandbox."""
    lines = PAGE.read_text("utf-8").splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line.startswith("## ")]
    for begin, end in zip(begins, [*begins[1:], len(lines) + 1], strict=True):
        found = [one for one in blocks(PAGE) if begin < one.line < end]
        code = "\n\n".join(one.text for one in found if one.language == "python")
        marks = [pytest.mark.docker, pytest.mark.slow] if "sii_cli" in code else []
        name = re.sub(r"\W+", "-", lines[begin - 1].strip("# ")).lower()
        yield pytest.param(code, id=name, marks=marks)


@pytest.mark.parametrize("code", list(_sections()))
def test_a_section_runs(code: str, tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "notes.txt").write_text("One.\n")
    _, folder = RecordingStore(home / "recordings").create_folder()
    record_session(folder, key=working_key(home))
    with in_a_thread(ScriptedServer(SESSION)) as server:
        variables = {"SII_HOME": str(home), "SII_BASE_URL": server.base_url}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=clean_environment() | variables | {"PYTHONPATH": str(ROOT)},
            cwd=workspace,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
