"""Folders of our own among the temporary files: gone when they are closed, or their owner died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.own_folder import OwnFolder, remove_leftover_folders

HOSTILE = (
    "import os, sys; os.chdir(sys.argv[1])\n"
    "os.mkdir('closed'); os.mkdir('closed/in'); os.chmod('closed', 0)\n"
    "os.symlink('/', 'root'); os.mkfifo('fifo')\n"
    "for _ in range(3000): os.mkdir('d'); os.chdir('d')\n"
)
OWNER = """
import time
from sandbox.own_folder import OwnFolder
print(OwnFolder("test").path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def fill(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", HOSTILE, folder], check=True)


def test_whatever_was_made_in_it_a_folder_goes_with_its_use(tmp_path: Path) -> None:
    with OwnFolder("test") as folder:
        fill(folder)
        assert remove_leftover_folders() == 0, "it is in use"
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_owner_is_removed_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        fill(folder)
        assert remove_leftover_folders() == 0
        owner.kill()
    assert folder.exists()
    assert remove_leftover_folders() == 1
    assert list(tmp_path.iterdir()) == []


def test_what_only_has_such_a_name_and_is_no_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sii-run-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "sii-run-file").write_text("x")
    assert remove_leftover_folders() == 0
    assert len(list(tmp_path.iterdir())) == 3
