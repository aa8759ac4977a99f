"""Heads of lines and checked lines: what every reader of a recording builds on."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from recordings.conversation.restore import restore
from recordings.errors import LineChanged
from recordings.events import names
from recordings.flags import FLAGS
from recordings.samples.build import samples_of
from recordings.storage.lines import parse_line, read_head
from recordings.storage.log import LOG, checked_hash, read_lines, recording_hash
from tests.recordings.recording_sessions import record_session

RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures" / "recordings").iterdir())


@pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: folder.name)
def test_a_head_says_what_the_whole_line_says(folder: Path) -> None:
    for line in read_lines(folder):
        head, parsed = read_head(line.text), parse_line(line.text)
        assert (head.session, head.seq) == (parsed["session"], parsed["seq"])
        assert (head.mono, head.type) == (parsed["mono"], parsed["type"])
        assert head.begins_fork == ("parent" in parsed)


@pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: folder.name)
def test_the_hash_of_a_whole_recording_is_that_of_its_last_line(folder: Path) -> None:
    assert checked_hash(folder) == recording_hash(folder)


@pytest.mark.parametrize("gone", [2, 7])
def test_a_line_after_a_removed_one_is_changed_for_every_reader(tmp_path: Path, gone: int) -> None:
    record_session(tmp_path)
    lines = (tmp_path / LOG).read_bytes().split(b"\n")
    del lines[gone - 1]
    (tmp_path / LOG).write_bytes(b"\n".join(lines))
    for read in (checked_hash, restore, lambda folder: list(samples_of(folder))):
        with pytest.raises(LineChanged) as changed:
            read(tmp_path)
        assert changed.value.number == gone


def test_every_flag_has_words() -> None:
    assert set(FLAGS) == set(get_args(names.KnownFlag))
