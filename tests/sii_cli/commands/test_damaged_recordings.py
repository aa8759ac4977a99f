"""What commands say of what is not a recording of sii: one sentence that names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sii_cli.shell import Shell


def _directory(log: Path) -> None:
    log.mkdir()


def _bytes(log: Path) -> None:
    log.write_bytes(os.urandom(4000))


def _deep(log: Path) -> None:
    log.write_bytes(b"[" * 100_000 + b"\n")


def _foreign(log: Path) -> None:
    log.write_text('{"v":1}\n')


def _newer(log: Path) -> None:
    log.write_text('{"v":99,"type":"session_start"}\n')


def _endless(log: Path) -> None:
    with open(log, "wb") as file:
        file.truncate(1 << 30)


def _link(log: Path) -> None:
    log.symlink_to("/etc/passwd")


COMMANDS = (
    ("show",),
    ("replay",),
    ("diff",),
    ("fork", "--at", "1"),
    ("verify",),
    ("scan",),
    ("approve", "--speaker", "ann"),
)


@pytest.mark.parametrize("make", [_directory, _bytes, _deep, _endless, _foreign, _newer, _link])
def test_a_file_that_is_no_recording_is_named_and_hides_no_other(
    shell: Shell, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.storage.log.LONGEST_LINE", 1 << 20)
    whole = shell.recorded()
    bad = shell.store.root / "20991231-235959-aaaaaa"
    bad.mkdir()
    make(bad / "events.jsonl")
    for command, *rest in COMMANDS:
        done = shell.sii(command, bad.name, *rest)
        assert done.returncode != 0, command
        assert bad.name in done.stdout + done.stderr, command
        assert "fault" not in done.stderr, done.stderr
    listed = shell.sii("list").stdout
    assert f"{whole.name}  " in listed
    said = "newer" if make is _newer else "damaged"
    assert said in next(line for line in listed.splitlines() if line.startswith(bad.name))
    assert shell.sii("search", "VAT").returncode in (0, 1)
