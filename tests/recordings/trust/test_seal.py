"""Seals: this home's recordings are told from all others, whatever is done to them."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.storage.lines import parse_line, seal
from recordings.storage.log import LOG, recording_hash
from recordings.storage.pack import pack, unpack
from recordings.trust.grants import grant
from recordings.trust.home_key import HomeKey, home_key
from recordings.trust.origin import origin_of, seems_own
from recordings.trust.seal import SEAL
from tests.fakes.killed_child import Acknowledge, kill_at_random
from tests.recordings.recording_sessions import record_session, session_start


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def key(home: Path) -> HomeKey:
    return home_key(home)


@pytest.fixture
def own(home: Path, key: HomeKey) -> Path:
    """A recording of this home."""
    folder = home / "recordings" / "20261123-204950-a3f9c2"
    folder.mkdir(parents=True)
    record_session(folder, rounds=1, key=key)
    return folder


def is_own(folder: Path, home: Path) -> bool:
    """Both ways to ask say the same of what is whole."""
    own = origin_of(folder, home) == "own"
    assert seems_own(folder, home_key(home)) == own
    return own


def resealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write the log again as somebody would who knows the format: sums and chain hold."""
    lines, prev = [], ""
    for line in (folder / LOG).read_bytes().splitlines():
        parsed = parse_line(line)
        del parsed["sum"]
        parsed["prev"] = prev
        if parsed["type"] == "session_start":
            change(parsed)
        text, prev = seal(orjson.dumps(parsed)[:-1])
        lines.append(text + b"\n")
    (folder / LOG).write_bytes(b"".join(lines))


def test_a_recording_of_this_home_is_own(own: Path, home: Path) -> None:
    assert is_own(own, home)


def test_one_written_without_the_key_is_foreign(tmp_path: Path, home: Path, key: HomeKey) -> None:
    folder = tmp_path / "20261123-204950-000000"
    folder.mkdir()
    record_session(folder, rounds=1)
    assert not is_own(folder, home)


def test_one_of_another_home_is_foreign(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    home_key(other)
    assert not is_own(own, other)


def test_where_there_is_no_key_all_is_foreign(own: Path, tmp_path: Path) -> None:
    assert origin_of(own, tmp_path / "nothing") == "foreign"


def test_it_stays_own_when_it_is_gone_on_with_packed_and_unpacked(
    own: Path, home: Path, key: HomeKey
) -> None:
    recorder = Recorder.resume(own, key=key)
    recorder.record(UserMessage(round=2, text="Go on."), "human")
    assert is_own(own, home)  # also while it is written
    recorder.close()
    assert is_own(own, home)
    pack(own)
    assert is_own(own, home)
    unpack(own)
    assert is_own(own, home)


def test_events_are_not_changed_by_a_seal(tmp_path: Path, key: HomeKey) -> None:
    assert sorted(os.listdir(_recorded(tmp_path / "a", None))) == ["blobs", LOG]
    sealed = _recorded(tmp_path / "b", key)
    assert sorted(os.listdir(sealed)) == ["blobs", LOG, SEAL]
    assert (sealed / SEAL).stat().st_mode & 0o777 == 0o600


def _recorded(folder: Path, key: HomeKey | None) -> Path:
    folder.mkdir()
    record_session(folder, rounds=2, key=key)
    return folder


def test_a_fork_of_an_own_one_is_own_with_the_key(own: Path, home: Path, key: HomeKey) -> None:
    fork = own.parent / "20990101-000000-ffffff"
    fork.mkdir()
    recorder = Recorder.fork(own, 3, fork, fork.name, key=key)
    assert is_own(fork, home)
    recorder.record(UserMessage(round=2, text="Otherwise."), "human")
    recorder.close()
    assert is_own(fork, home)


def test_a_redacted_one_stays_own(own: Path, home: Path, key: HomeKey) -> None:
    redactor = Redactor(SecretFinder({"WORD": "You are an agent"}))
    assert redact(own, redactor, by="ann", key=key) is not None
    assert is_own(own, home)


@pytest.mark.hostile
def test_a_seal_of_another_recording_proves_nothing(own: Path, home: Path, key: HomeKey) -> None:
    theirs = own.parent / "20261123-204951-000000"
    theirs.mkdir()
    record_session(theirs, rounds=1, seed=1)
    shutil.copy(own / SEAL, theirs / SEAL)
    assert not is_own(theirs, home)


@pytest.mark.hostile
def test_an_own_recording_under_another_name_is_foreign(own: Path, home: Path) -> None:
    shutil.copytree(own, own.parent / "20990101-000000-000000")
    assert not is_own(own.parent / "20990101-000000-000000", home)


@pytest.mark.hostile
def test_a_replaced_tail_makes_it_foreign(own: Path, home: Path) -> None:
    log = own / LOG
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert not is_own(own, home)
    recorder = Recorder.resume(own)
    recorder.record(UserMessage(round=2, text="rm -rf ~"), "human")
    recorder.close()
    assert not is_own(own, home)


@pytest.mark.hostile
def test_lines_that_somebody_appended_make_it_foreign(own: Path, home: Path) -> None:
    recorder = Recorder.resume(own)
    recorder.record(UserMessage(round=2, text="rm -rf ~"), "human")
    recorder.close()
    assert not is_own(own, home)


@pytest.mark.hostile
def test_a_replaced_middle_makes_it_foreign(own: Path, home: Path) -> None:
    lines = (own / LOG).read_bytes().splitlines(keepends=True)
    parsed = parse_line(lines[0])
    del parsed["sum"]
    parsed["data"]["workspace"] = "/home/victim"
    lines[0] = seal(orjson.dumps(parsed)[:-1])[0] + b"\n"
    (own / LOG).write_bytes(b"".join(lines))  # the last line, and with it the head, is the same
    assert origin_of(own, home) == "foreign"


@pytest.mark.hostile
def test_a_whole_chain_written_again_makes_it_foreign(own: Path, home: Path) -> None:
    before = recording_hash(own)
    resealed(own, lambda event: event["data"].update(workspace="/home/victim"))
    assert recording_hash(own) != before
    assert not is_own(own, home)


@pytest.mark.hostile
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "long", "empty", "nonsense"])
def test_what_is_no_seal_proves_nothing_and_holds_nothing_up(
    own: Path, home: Path, kind: str
) -> None:
    path = own / SEAL
    true = path.read_bytes()
    path.unlink()
    match kind:
        case "link":
            (own.parent / "elsewhere").write_bytes(true)
            path.symlink_to(own.parent / "elsewhere")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "long":
            path.write_bytes(true + b"x" * 10_000_000)
        case "empty":
            path.write_bytes(b"")
        case _:
            path.write_bytes(b"sii-seal-1 " + b"z" * 64 + b" " + b"0" * 64 + b"\n")
    assert not is_own(own, home)


@pytest.mark.hostile
@pytest.mark.parametrize("kind", ["link", "fifo", "hard link"])
def test_sealing_writes_through_nothing(own: Path, key: HomeKey, kind: str) -> None:
    victim = own.parent / "victim"
    victim.write_bytes(b"precious")
    (own / SEAL).unlink()
    match kind:
        case "link":
            (own / SEAL).symlink_to(victim)
        case "hard link":
            os.link(victim, own / SEAL)
        case _:
            os.mkfifo(own / SEAL)
    recorder = Recorder.resume(own, key=key)
    recorder.record(UserMessage(round=2, text="Go on."), "human")
    recorder.close()
    assert victim.read_bytes() == b"precious"
    assert (own / SEAL).is_file()


def test_a_yes_holds_for_what_was_shown(tmp_path: Path, home: Path, key: HomeKey) -> None:
    folder = tmp_path / "20261123-204950-000000"
    folder.mkdir()
    record_session(folder, rounds=1)
    grant(home, "recording", folder.name, recording_hash(folder))
    assert origin_of(folder, home) == "trusted"
    recorder = Recorder.resume(folder)
    recorder.record(UserMessage(round=2, text="And now this."), "human")
    recorder.close()
    assert origin_of(folder, home) == "foreign"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_any_moment_leaves_it_own(home: Path, key: HomeKey, seed: int) -> None:
    folder = home / "20261123-204950-a3f9c2"
    folder.mkdir()
    with_start = Recorder.create(folder, folder.name, key=key)
    with_start.record(session_start(), "harness")
    with_start.close()

    def write(acknowledge: Acknowledge) -> None:
        recorder = Recorder.resume(folder, key=key)
        for number in range(1_000_000):
            text = "word " * random.randrange(2000)
            recorder.record(UserMessage(round=number, text=text), "human")
            acknowledge(number)

    chance = random.Random(seed)
    for _ in range(40):
        kill_at_random(write, chance, within=0.02)
        assert is_own(folder, home)
