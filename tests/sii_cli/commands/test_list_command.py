"""`sii list` finds recordings by what they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from rich.cells import cell_len

from recordings.events import SessionStatus, UserMessage
from recordings.index.find import find
from recordings.index.index import INDEX, RecordingIndex
from recordings.outcomes import Outcome, State
from recordings.recorder import Recorder
from recordings.reviews.approval import ApprovalState
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import add_review
from sii_cli.commands.list import line_of
from sii_cli.options.filters import STATUSES
from sii_cli.options.standings import STANDINGS
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import clean_environment


def listed(shell: Shell, *args: str) -> list[str]:
    done = shell.sii("list", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_an_index_that_another_process_holds_is_said_to_be_held(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.recorded()
    shell.sii("list")
    monkeypatch.setattr("recordings.index.index._PATIENCE", 0.05)
    with RecordingIndex(shell.store, keys=ReviewKeys(shell.key)) as other:
        other.db.execute("BEGIN EXCLUSIVE")
        done = shell.sii("list")
    assert done.returncode == 1
    assert "another process holds " in done.stderr
    assert shell.sii("list").returncode == 0


def test_filters_let_through_what_they_name(shell: Shell) -> None:
    small = shell.recorded(rounds=1, steps=2, model="GLM-4.5-Air", tags=["hard"]).name
    large = shell.recorded(rounds=2, steps=5, model="other", batch="night", query="q7", seed=1).name
    assert listed(shell) == [large, small]
    for args in (
        ["--model", "glm-4"],
        ["--tag", "hard"],
        ["--max-steps", "2"],
        ["--sort", "tokens", "--reverse", "--min-steps", "1", "--max-tokens", "250"],
    ):
        assert listed(shell, *args) == [small], args
    for args in (
        ["--batch", "night"],
        ["--query", "q7"],
        ["--min-steps", "3"],
        ["--text", shell.sii("list", "--json").stdout.split('"task": "')[1][:20]],
    ):
        assert listed(shell, *args) == [large], args
    assert listed(shell, "--tool", "bash", "--status", "done", "--since", "1h") == [large, small]
    assert listed(shell, "--until", "1h") == []
    assert listed(shell, "--since", "2100-01-01") == []
    assert listed(shell, "--min-duration", "5min") == []
    assert listed(shell, "--status", "limit", "--status", "failed") == []
    assert listed(shell, "--error", "timeout") == []
    assert "No recording matches." in shell.sii("list", "--tool", "python").stderr


def test_approvals_are_listed_and_one_that_no_longer_holds_says_so(shell: Shell) -> None:
    folder = shell.recorded()
    add_review(folder, "ada", verdict="approve", key=shell.key)
    assert "  approved: " in shell.sii("list").stdout
    assert listed(shell, "--approval", "approved", "--reviewer", "ada") == [folder.name]
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(UserMessage(round=3, text="more"), "human")
    recorder.close()
    assert "verdict void (changed since): " in shell.sii("list").stdout
    assert listed(shell, "--approval", "void") == [folder.name]


def test_the_choices_are_those_there_are() -> None:
    assert set(STATUSES) == {
        *get_args(SessionStatus),
        *get_args(Outcome),
        *get_args(State),
    }
    assert set(STANDINGS) == set(get_args(ApprovalState))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--since", "soon"], "'soon' is not a time"),
        (["--min-duration", "long"], "'long' is not a duration"),
        (["--status", "great"], "'great' is not one of"),
        (["--min-steps", "-1"], "--min-steps"),
        (["--min-steps", "x"], "'x' is not a whole number"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, args: list[str], says: str) -> None:
    done = shell.sii("list", *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["directory", "pipe", "link"])
def test_what_stands_in_the_place_of_the_index_costs_a_line(
    shell: Shell, tmp_path: Path, kind: str, end: str
) -> None:
    folder = shell.recorded()
    path = folder.parent / (INDEX + end)
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(outside)
    done = shell.sii("list")
    assert (done.returncode, done.stdout.startswith(folder.name)) == (0, True)
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
    assert outside.read_bytes() == b"mine"
    assert path.is_symlink() == (kind == "link")


def test_a_list_imports_nothing_slow(shell: Shell) -> None:
    shell.recorded()
    shell.sii("list")
    code = (
        "import sys\nsys.argv = ['sii', 'list']\nfrom sii_cli.main import _run\n_run()\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    environment = {**clean_environment(), "SII_HOME": str(shell.home)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert not set(done.stderr.split()) & {"pydantic", "rich", "asyncio", "httpx"}


def test_a_list_makes_no_folders(shell: Shell) -> None:
    shell.sii("list")
    assert not shell.home.exists()


@pytest.mark.parametrize("width", [60, 100, 140])
def test_in_a_terminal_no_line_is_wider_than_it(shell: Shell, width: int) -> None:
    shell.recorded()
    with RecordingIndex(shell.store) as index:
        index.refresh()
        [found] = find(index)
    summary = replace(found.summary, first_message="数一数 🎉 " * 30)
    lines = line_of(replace(found, summary=summary), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert lines[-1].endswith("…")
    assert len(lines) == (2 if width == 60 else 1)
