"""`sii export --format preference`: which recordings make pairs, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from recordings.reviews.approval import Verdict
from recordings.reviews.reviews import add_review
from recordings.trust.home_key import HomeKey
from tests.recordings.export.exporting import lines, rows
from tests.recordings.samples.told_session import ToldSession
from tests.sii_cli.shell import Done, Shell


def told(shell: Shell, answer: str, verdict: Verdict | None = None, **start: object) -> Path:
    _, folder = shell.store.create_folder()
    session = ToldSession.create(folder, **start)
    session.user("Mend it.")
    session.step("", ("bash", {"command": "ls"}, "a.py"))
    session.step(answer)
    session.end()
    return judged(folder, verdict, shell.key)


def fork(shell: Shell, parent: Path, at: int, answer: str, verdict: Verdict) -> Path:
    name, folder = shell.store.create_folder()
    folder.rmdir()
    session = ToldSession.fork(parent, at, folder)
    session.step(answer)
    session.end()
    assert folder.name == name
    return judged(folder, verdict, shell.key)


def judged(folder: Path, verdict: Verdict | None, key: HomeKey) -> Path:
    if verdict is not None:
        add_review(folder, "ada", verdict=verdict, key=key)
    return folder


def write_pairs(shell: Shell, *pairs: tuple[str, str]) -> str:
    path = shell.workspace / "pairs.jsonl"
    told = ({"query": "q", "chosen": a, "rejected": b, "because": "limit"} for a, b in pairs)
    path.write_text("".join(json.dumps(one) + "\n" for one in told))
    return str(path)


def export(shell: Shell, *args: str) -> Done:
    return shell.sii("export", "out", "--format", "preference", *args)


def origins(shell: Shell) -> set[tuple[str, str]]:
    """The recordings of every row, the better first."""
    found = lines(shell.workspace / "out" / "provenance.jsonl")
    return {(one["recording"], one["rejected"]["recording"]) for one in found}


OBSERVED = 6
"""The event of the observation in a told session: what follows is another branch."""


def test_an_approved_branch_stands_beside_a_rejected_one_of_the_same_point(shell: Shell) -> None:
    parent = told(shell, "Broken.", "reject")
    good = fork(shell, parent, OBSERVED, "Mended.", "approve")
    fork(shell, good, OBSERVED, "Perhaps.", "needs_work")
    worse = fork(shell, good, OBSERVED, "Gone.", "reject")
    told(shell, "Of no family.", "reject")
    assert export(shell).returncode == 0
    assert origins(shell) == {(good.name, parent.name), (good.name, worse.name)}
    assert {row["chosen"][0]["content"] for row in rows(shell.workspace / "out")} == {"Mended."}


def test_branches_whose_parent_was_deleted_are_still_a_family(shell: Shell) -> None:
    parent = told(shell, "Broken.")
    good = fork(shell, parent, OBSERVED, "Mended.", "approve")
    middle = fork(shell, parent, OBSERVED, "Perhaps.", "needs_work")
    worse = fork(shell, middle, OBSERVED, "Gone.", "reject")
    for folder in (parent, middle):
        shutil.rmtree(folder)
    assert export(shell).returncode == 0
    assert origins(shell) == {(good.name, worse.name)}


def test_reviewers_tell_sessions_of_one_query_of_one_batch_apart(shell: Shell) -> None:
    good = told(shell, "Mended.", "approve", batch="monday", query="q1")
    worse = told(shell, "Broken.", "reject", batch="monday", query="q1")
    told(shell, "Elsewhere.", "reject", batch="tuesday", query="q1")
    told(shell, "Otherwise.", "reject", batch="monday", query="q2")
    told(shell, "Unseen.", batch="monday", query="q1")
    assert export(shell).returncode == 0
    assert origins(shell) == {(good.name, worse.name)}
    shutil.rmtree(shell.workspace / "out")
    assert "No pair is chosen" in export(shell, "--query", "q2").stderr


def test_the_better_of_a_named_pair_must_be_approved_unless_all_is_said(shell: Shell) -> None:
    good, unseen = told(shell, "Mended.", "approve"), told(shell, "So.")
    worse = told(shell, "Broken.")
    pairs = write_pairs(shell, (good.name, worse.name), (unseen.name, worse.name))
    done = export(shell, "--pairs", pairs)
    assert done.returncode == 0, done.stderr
    assert "left out: unapproved 1 (see out/left_out.jsonl)" in done.stderr
    assert origins(shell) == {(good.name, worse.name)}
    shutil.rmtree(shell.workspace / "out")
    assert export(shell, "--pairs", pairs, "--all").returncode == 0
    assert origins(shell) == {(good.name, worse.name), (unseen.name, worse.name)}


def test_a_pair_whose_recording_is_not_there_is_left_out(shell: Shell) -> None:
    good, worse, gone = (told(shell, text, "approve") for text in ("Mended.", "Broken.", "Gone."))
    shutil.rmtree(gone)
    hostile = "../../etc/passwd\u001b[2J\n"
    named = ((good, worse.name), (good, gone.name), (good, hostile))
    pairs = write_pairs(shell, *((one.name, other) for one, other in named))
    done = export(shell, "--pairs", pairs)
    assert (done.returncode, "missing 2" in done.stderr, "\u001b" in done.stderr) == (
        0,
        True,
        False,
    )
    assert origins(shell) == {(good.name, worse.name)}
    told_of = lines(shell.workspace / "out" / "left_out.jsonl")
    assert [one["rejected"] for one in told_of] == [gone.name, hostile]
    shutil.rmtree(shell.workspace / "out")
    done = export(shell, "--pairs", write_pairs(shell, (gone.name, worse.name)))
    assert (done.returncode, "--home" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"chosen": "a"}',
        '{"chosen": "a", "rejected": ""}',
        '{"chosen": "a", "rejected": ["b"]}',
        "\x00",
    ],
)
def test_a_file_that_is_none_of_pairs_is_refused(shell: Shell, line: str) -> None:
    path = Path(write_pairs(shell, (told(shell, "Mended.", "approve").name, "x")))
    path.write_text(path.read_text() + line)
    done = export(shell, "--pairs", str(path))
    assert (done.returncode, "Line 2 of" in done.stderr) == (1, True)
    assert not (shell.workspace / "out").exists()


@pytest.mark.parametrize(
    ("args", "told_of"),
    [
        (["--parquet"], "has no parquet form"),
        (["--with-script"], "has no launch script"),
        (["--tokenizer", "."], "--tokenizer is for tokens and slime"),
        (["--approval", "rejected"], "--approval is not for pairs"),
        (["--all"], "leave out --all"),
    ],
)
def test_options_that_make_no_sense_of_pairs_are_refused(
    shell: Shell, args: list[str], told_of: str
) -> None:
    done = export(shell, *args)
    assert (done.returncode, told_of in done.stderr) == (2, True)


def test_pairs_are_for_preference_alone(shell: Shell) -> None:
    pairs = write_pairs(shell)
    done = shell.sii("export", "out", "--format", "tokens", "--pairs", pairs)
    assert (done.returncode, "--pairs is for preference" in done.stderr) == (2, True)
    assert "No pair is chosen" in export(shell).stderr
