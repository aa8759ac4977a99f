"""A blind protocol: wherever a reviewer looks, what others said is hidden until their verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.events import Check, QueryOutcome
from recordings.reviews.reviews import add_review, read_reviews
from tests.recordings.stepped_session import SteppedSession
from tests.sii_cli.shell import Shell

BLIND = 'blind = true\nreviewers = 2\nadjudicators = ["lea"]\nleads = ["max"]\n'
SECRET = "bobs-own-words"


@pytest.fixture
def folder(shell: Shell) -> Path:
    folder = shell.recorded(rounds=1, steps=2)
    (shell.home / "review.toml").write_text(BLIND)
    step = {"seq": 3, "exclude": True}
    add_review(
        *(folder, "bob"),
        verdict="reject",
        note=SECRET,
        key=shell.key,
        steps=[step],  # type: ignore[list-item]
    )
    return folder


LOOKS = (
    ("list",),
    ("list", "--json"),
    ("list", "--all", "--reviewer", "bob"),
    ("list", "--approval", "in_review"),
    ("search", "ledger", "--reviewer", "bob", "--json"),
    ("search", "ledger", "--approval", "in_review"),
    ("show", "last"),
    ("reviews", "last"),
    ("reviews", "last", "--json"),
    ("stats",),
    ("stats", "--json", "--reviewer", "bob"),
    ("stats", "--agreement"),
    ("stats", "--agreement", "--json"),
    ("tree", "last"),
    ("inspect-sample", "last", "--text"),
)


def look(shell: Shell, speaker: str | None, *args: str) -> str:
    env = {} if speaker is None else {"SII_SPEAKER": speaker}
    done = shell.sii(*args, **env)
    return done.stdout + done.stderr


@pytest.mark.parametrize("args", LOOKS, ids=" ".join)
@pytest.mark.parametrize("speaker", ["ann", None])
def test_a_reviewer_who_has_not_judged_sees_nothing_of_others(
    shell: Shell, folder: Path, args: tuple[str, ...], speaker: str | None
) -> None:
    seen = look(shell, speaker, *args)
    for hidden in ("bob", SECRET, "reject", "in review", "in_review", "excluded from"):
        assert hidden not in seen, seen
    without = {"reviewers": [], "excluded_events": 0, "approval": "unreviewed"}
    if args == ("list", "--json"):
        assert {**json.loads(seen), **without} == json.loads(seen)


def test_a_list_by_a_reviewer_is_empty_until_one_has_judged(shell: Shell, folder: Path) -> None:
    assert folder.name not in look(shell, "ann", "list", "--reviewer", "bob")
    assert folder.name in look(shell, "bob", "list", "--reviewer", "bob")


@pytest.mark.parametrize("speaker", ["bob", "lea", "max"])
def test_who_has_judged_and_who_decides_sees_all(shell: Shell, folder: Path, speaker: str) -> None:
    assert SECRET in look(shell, speaker, "reviews", "last")
    assert "in review" in look(shell, speaker, "list")


def test_ones_own_verdict_opens_those_of_others_and_is_kept_as_blind(
    shell: Shell, folder: Path
) -> None:
    assert SECRET not in look(shell, "ann", "reviews", "last")
    look(shell, "ann", "approve", "last")
    assert SECRET in look(shell, "ann", "reviews", "last")
    look(shell, "ann", "reject", "last", "--why", "bob is right")
    assert [one.blind for one in read_reviews(folder)][1:] == [True, False]


def test_what_is_hidden_is_said(shell: Shell, folder: Path) -> None:
    said = look(shell, "ann", "reviews", "last")
    assert "is hidden until you have given your verdict" in said
    assert "hidden" not in look(shell, "lea", "reviews", "last")


def test_the_export_counts_every_verdict(shell: Shell, folder: Path, tmp_path: Path) -> None:
    done = shell.sii("export", str(tmp_path / "out"), "--format", "tokens", SII_SPEAKER="ann")
    assert "in review 1" in done.stderr


CHECKED = "what-the-check-printed"


@pytest.fixture
def checked(shell: Shell) -> Path:
    _, folder = shell.store.create_folder()
    session = SteppedSession(folder, key=shell.key)
    session.message("Mend the ledger.")
    session.answer("Done.")
    check = Check(round=1, command="pytest", exit_code=1, passed=False, output=CHECKED, seconds=1.0)
    session.recorder.record(check, "harness")
    session.recorder.record(QueryOutcome(status="unsolved"), "harness")
    session.recorder.close()
    (shell.home / "review.toml").write_text('show_check = false\nleads = ["max"]\n')
    return folder


CHECK_LOOKS = (
    ("list",),
    ("list", "--json"),
    ("show", "last"),
    ("show", "last", "--full"),
    ("search", "ledger", "--json"),
    ("tree", "last"),
    ("replay", "last"),
    ("replay", "last", "--html", "page.html"),
)


@pytest.mark.parametrize("args", CHECK_LOOKS, ids=" ".join)
def test_the_check_is_hidden_until_ones_own_verdict(
    shell: Shell, checked: Path, args: tuple[str, ...]
) -> None:
    seen = look(shell, "ann", *args)
    for hidden in (CHECKED, "unsolved", "check failed"):
        assert hidden not in seen, seen
    if args[0] == "replay":
        assert "hides the check" in seen
        assert not (shell.workspace / "page.html").exists()
    shell.sii("approve", "last", SII_SPEAKER="ann")
    after = look(shell, "ann", *args)
    assert "hides the check" not in after
    if args[0] in ("list", "show"):
        assert "unsolved" in after
    assert "hides the check" not in look(shell, "max", *args), "a lead sees it"
