"""Drafts: what was said survives the death of the process, and is of one content alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recordings.errors import RecordingDamaged, RecordingFailed
from sii_cli.queue.drafts import DRAFTS, Drafts
from sii_cli.queue.leases import Item

ONE = Item("review", "20261123-204950-a3f9c2")
CONTENT = "5e" * 32
SAVING = f"""
import pathlib, sys
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item
drafts, number = Drafts(pathlib.Path(sys.argv[1]), "ann"), 0
while True:
    number += 1
    drafts.save(Item(*{tuple(ONE)!r}), {CONTENT!r}, {{"number": number, "note": "x" * 5000}})
    print(number, flush=True)
"""


def test_a_draft_is_found_again_by_its_person_for_its_content(tmp_path: Path) -> None:
    Drafts(tmp_path, "ann").save(ONE, CONTENT, {"note": "so far"})
    assert Drafts(tmp_path, "ann").load(ONE, CONTENT) == {"note": "so far"}
    assert Drafts(tmp_path, "bob").load(ONE, CONTENT) is None
    assert Drafts(tmp_path, "ann").load(ONE, "00" * 32) is None
    assert Drafts(tmp_path, "ann").load(Item("inbox", ONE.id), CONTENT) is None


def test_the_last_draft_replaces_the_one_before(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, "a/../b\0\udcff")
    drafts.save(ONE, CONTENT, {"note": "first"})
    drafts.save(ONE, CONTENT, {"note": "second"})
    assert drafts.load(ONE, CONTENT) == {"note": "second"}
    assert len(list((tmp_path / DRAFTS).iterdir())) == 1
    drafts.remove(ONE)
    drafts.remove(ONE)
    assert drafts.load(ONE, CONTENT) is None


def test_a_killed_process_leaves_a_whole_draft(tmp_path: Path) -> None:
    for _ in range(5):
        saving = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert saving.stdout is not None
        for _ in range(50):
            last = int(saving.stdout.readline())
        os.kill(saving.pid, signal.SIGKILL)
        rest = saving.communicate()[0].split()
        said = Drafts(tmp_path, "ann").load(ONE, CONTENT)
        assert said is not None
        assert said["number"] >= int(rest[-1]) if rest else last


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"said": 3, "sha256": ""}'])
def test_a_damaged_draft_is_named(tmp_path: Path, content: bytes) -> None:
    drafts = Drafts(tmp_path, "ann")
    drafts.save(ONE, CONTENT, {})
    (file,) = (tmp_path / DRAFTS).iterdir()
    file.write_bytes(content)
    with pytest.raises(RecordingDamaged, match=r"draft .*\.json is damaged: remove it"):
        drafts.load(ONE, CONTENT)


def test_a_folder_of_drafts_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home" / DRAFTS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordingFailed):
        Drafts(tmp_path / "home", "ann").save(ONE, CONTENT, {})
    assert not list((tmp_path / "elsewhere").iterdir())
