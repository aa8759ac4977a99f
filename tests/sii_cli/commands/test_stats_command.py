"""`sii stats` says what there is, for people, for programs and for papers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.reviews.reviews import add_review
from tests.recordings.samples.told_session import ToldSession, two_rounds
from tests.sii_cli.shell import Shell


@pytest.fixture
def recorded(shell: Shell) -> list[Path]:
    folders = [shell.store.create_folder()[1] for _ in range(3)]
    two_rounds(folders[0], model="GLM-4.5", query="q1")
    two_rounds(folders[1], model="GLM-4.5", query="q2")
    told = ToldSession.create(folders[2], model="evil\x1b[2J$x$", batch="night")
    told.user("Go.")
    told.step("", ("bash", {}, "no"), ("python", {}, "no"), error="timeout")
    told.step("Done.")
    told.end()
    add_review(folders[0], "ada", verdict="approve", key=shell.key)
    add_review(folders[1], "ada", verdict="reject", key=shell.key)
    return folders


def test_the_figures_are_those_of_the_recordings(shell: Shell, recorded: list[Path]) -> None:
    summary = json.loads(shell.sii("stats", "--json").stdout)
    assert summary["recordings"] == 3
    assert (summary["tokens"]["max"], summary["tokens"]["histogram"][0]) == (126, [0, 3])
    assert summary["limi_tokens"] == {"min": 13000, "mean": 42400, "max": 152000}
    assert (summary["steps"]["min"], summary["steps"]["max"]) == (2, 4)
    assert summary["calls"] == {
        "bash": {"calls": 7, "failed": 1},
        "python": {"calls": 1, "failed": 1},
    }
    assert summary["errors"] == {"timeout": 2}
    assert summary["error_rate"] == 0.25
    assert summary["approval"] == {"approved": 1, "rejected": 1, "unreviewed": 1}
    assert summary["approval_yield"] == 0.5
    assert summary["by"]["model"]["GLM-4.5"]["recordings"] == 2
    assert set(summary["by"]["query"]) == {"q1", "q2"}
    assert json.loads(shell.sii("stats", "--json", "--query", "q1").stdout)["recordings"] == 1


def test_the_terminal_shows_them_and_no_escapes(shell: Shell, recorded: list[Path]) -> None:
    done = shell.sii("stats")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "LIMI                      13,000      42,400   152,000" in done.stdout
    assert "  from       0  " + "█" * 40 + " 3" in done.stdout
    assert "50% of those judged are approved" in done.stdout


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_plot_is_a_picture_and_the_same_every_time(
    shell: Shell, recorded: list[Path], suffix: str
) -> None:
    pictures = []
    for name in ("a", "b"):
        done = shell.sii("stats", "--plot", f"{name}.{suffix}")
        assert done.returncode == 0, done.stderr
        pictures.append((shell.workspace / f"{name}.{suffix}").read_bytes())
    assert pictures[0] == pictures[1]
    assert pictures[0][:4] in (b"\x89PNG", b"<?xm")


def test_nothing_recorded_is_no_error(shell: Shell) -> None:
    shell.home.mkdir()
    done = shell.sii("stats")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "0 recordings")
    assert shell.sii("stats", "--plot", "x.gif").returncode == 2
