"""Agreement as commands show it: `sii stats --agreement`, `sii status` and the card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.reviews.approval import Verdict
from recordings.reviews.reviews import add_review
from tests.sii_cli.shell import Shell

SAID: tuple[dict[str, Verdict], ...] = (
    {"ann": "approve", "bob": "approve"},
    {"ann": "approve", "bob": "approve", "cleo": "approve"},
    {"ann": "approve", "bob": "reject"},
    {"ann": "reject", "bob": "reject"},
    {"ann": "approve"},
)


@pytest.fixture
def folders(shell: Shell) -> list[Path]:
    folders: list[Path] = []
    for said in SAID:
        folders.append(shell.recorded(rounds=1, steps=2, seed=len(folders)))
        for name, verdict in said.items():
            add_review(folders[-1], name, verdict=verdict, key=shell.key)
    return folders


def test_stats_say_how_far_reviewers_agree(shell: Shell, folders: list[Path]) -> None:
    shown = shell.sii("stats", "--agreement").stdout
    assert shown.startswith("4 recordings with two opinions or more\n")
    assert "ann 5, bob 4, cleo 1" in shown
    assert "0.75 (" in shown
    assert "ann · bob" in shown
    assert f"{folders[2].name}\n    verdict: ann approve, bob reject" in shown
    found = json.loads(shell.sii("stats", "--agreement", "--json").stdout)
    verdict = found["questions"]["verdict"]
    assert (verdict["items"], verdict["pairs"], verdict["percent"]["value"]) == (4, 6, 0.75)
    assert [one["id"] for one in found["worst"]] == [folders[2].name]


def test_where_all_agree_it_is_said(shell: Shell) -> None:
    folder = shell.recorded(rounds=1, steps=2)
    for name in ("ann", "bob"):
        add_review(folder, name, verdict="approve", key=shell.key)
    assert "n/a, all agree" in shell.sii("stats", "--agreement").stdout


def test_without_reviews_there_is_nothing_to_compare(shell: Shell) -> None:
    shell.recorded(rounds=1, steps=2)
    done = shell.sii("stats", "--agreement")
    assert done.returncode == 0, done.stderr
    assert "nobody judged what another judged" in done.stdout


def test_a_picture_of_agreement_is_refused(shell: Shell) -> None:
    done = shell.sii("stats", "--agreement", "--plot", "figure.svg")
    assert done.returncode == 2
    assert "leave out --agreement" in done.stderr


def test_status_shows_reviewers_and_agreement(shell: Shell, folders: list[Path]) -> None:
    shown = shell.sii("status").stdout
    assert "reviewers   ann 5 · bob 4 · cleo 1" in shown
    assert "agreement   0.75, AC1 " in shown
    found = json.loads(shell.sii("status", "--json").stdout)
    assert found["reviewers"] == {"ann": 5, "bob": 4, "cleo": 1}
    assert found["agreement"]["items"] == 4


def test_status_counts_what_is_set_aside(shell: Shell, folders: list[Path]) -> None:
    assert "set aside" not in shell.sii("status").stdout
    (shell.home / "review.toml").write_text('set_aside = ["failed_check", "suspect"]\n')
    assert "set aside" not in shell.sii("status").stdout, "nothing has such a doubt"


def test_the_card_says_how_far_they_agree(
    shell: Shell, folders: list[Path], tmp_path: Path
) -> None:
    (shell.home / "review.toml").write_text("blind = true\nsecond_read = 1.0\n")
    done = shell.sii("export", str(tmp_path / "out"), "--format", "tokens")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| agreement on verdict | 0.75, AC1 " in card
    assert "(n 4, pairs 6) |" in card
    assert "| estimated share of wrong approvals | 33.3% (95 %: " in card
    assert "| reviewed blind | with the check shown first" in card


def test_the_card_of_one_reviewer_says_nothing_of_agreement(shell: Shell, tmp_path: Path) -> None:
    add_review(shell.recorded(rounds=1, steps=2), "ann", verdict="approve", key=shell.key)
    shell.sii("export", str(tmp_path / "out"), "--format", "tokens")
    assert "agreement" not in (tmp_path / "out" / "README.md").read_text()
