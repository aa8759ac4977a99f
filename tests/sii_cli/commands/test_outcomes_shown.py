"""How a session ended is a column, a filter and a field of every command that finds recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recordings.events import (
    Check,
    Observation,
    QueryOutcome,
    RoundEnd,
    SessionEnd,
    SessionStatus,
    UserMessage,
)
from recordings.index.find import find
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.reviews.review import StepReview
from recordings.reviews.reviews import add_review
from recordings.storage.encoding import encode
from recordings.store.summary import summarise
from tests.recordings.recording_sessions import session_start
from tests.recordings.samples.told_session import two_rounds
from tests.sii_cli.shell import Shell

PYTEST = "collected 2 items\n\nFAILED test_money.py::test_split - assert 999 == 1000\n1 failed\n"


def attempt(
    shell: Shell,
    status: Any = None,
    *,
    ends: SessionStatus | None = "done",
    mode: Any = "batch",
    check: Check | None = None,
    score: float | None = None,
    reason: str = "",
) -> Path:
    """Record a session that ends so; `status` is that of its `query_outcome`."""
    _, folder = shell.store.create_folder()
    recorder = Recorder.create(folder, folder.name, key=shell.key)
    about = {"batch": "monday", "query": "q", "attempt": 1} if mode == "batch" else {}
    start = session_start(mode=mode, rubric="Are the cents right?", **about)
    recorder.record(start, "harness")
    recorder.record(UserMessage(round=1, text="Fix the ledger."), "query")
    recorder.record(RoundEnd(round=1, status="answered", steps=1), "harness")
    if check is not None:
        recorder.record(check, "harness")
    if status is not None:
        recorder.record(QueryOutcome(status=status, score=score, reason=reason), "harness")
    if ends is not None:
        recorder.record(SessionEnd(status=ends, rounds=1, steps=1), "harness")
    recorder.close()
    return folder


def failed_check(**more: Any) -> Check:
    facts = {"round": 1, "command": "pytest -q", "exit_code": 1, "passed": False, "seconds": 0.5}
    return Check(**{**facts, "output": PYTEST, **more})


def listed(shell: Shell, *args: str) -> list[dict[str, Any]]:
    done = shell.sii("list", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_solved_and_an_unsolved_session_differ_in_the_list(shell: Shell) -> None:
    attempt(shell, "unsolved")
    attempt(shell, "solved")
    told = shell.sii("list").stdout.splitlines()
    assert ["  solved  " in told[0], "  unsolved  " in told[1]] == [True, True]


@pytest.mark.parametrize(
    ("status", "ends", "mode", "shown"),
    [
        ("solved", "done", "batch", ("solved", "ended")),
        ("answered", "done", "batch", ("unchecked", "ended")),
        ("empty", "empty", "batch", ("failed", "ended")),
        ("check_error", "done", "batch", ("check_error", "ended")),
        (None, "done", "batch", ("interrupted", "ended")),  # stopped between two rounds
        ("solved", None, "batch", ("solved", "crashed")),
        (None, "done", "interactive", ("unchecked", "ended")),
        (None, "empty", "headless", ("failed", "ended")),
        (None, "interrupted", "interactive", ("interrupted", "ended")),
        (None, None, "interactive", (None, "crashed")),
        (None, "done", "imported", ("unchecked", "imported")),
    ],
)
def test_outcome_and_state_are_those_of_the_tables(
    shell: Shell, status: Any, ends: Any, mode: Any, shown: tuple[str | None, str]
) -> None:
    folder = attempt(shell, status, ends=ends, mode=mode)
    (one,) = listed(shell)
    assert (one["outcome"], one["state"]) == shown
    summary = summarise(folder)
    assert (summary.session_outcome, summary.state) == shown
    if status == "empty":
        assert one["reason"] == summary.reason == "empty answer"


def test_outcomes_and_states_are_filters_of_every_list(shell: Shell) -> None:
    unsolved, solved = attempt(shell, "unsolved"), attempt(shell, "solved")
    crashed = attempt(shell, None, ends=None)
    unchecked = attempt(shell, "answered")

    def ids(*args: str) -> list[str]:
        return [one["id"] for one in listed(shell, *args)]

    assert ids("--outcome", "solved") == [solved.name]
    assert ids("--outcome", "solved", "--outcome", "unsolved") == [solved.name, unsolved.name]
    assert ids("--state", "crashed") == [crashed.name]
    assert ids("--outcome", "unchecked") == [unchecked.name]
    assert ids("--outcome", "answered") == ids("--outcome", "done") == [unchecked.name]
    found = shell.sii("search", "ledger", "--outcome", "solved", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in found] == [solved.name]
    assert json.loads(found[0])["outcome"] == "solved"
    stats = json.loads(shell.sii("stats", "--outcome", "solved", "--json").stdout)
    assert stats["recordings"] == 1
    none = shell.sii("search", "ledger", "--state", "damaged")
    assert (none.returncode, none.stdout) == (1, "")


def test_search_counts_only_the_places_that_pass(shell: Shell) -> None:
    solved = attempt(shell, "solved")
    for _ in range(3):
        attempt(shell, "unsolved")
    found = shell.sii("search", "ledger", "--outcome", "solved", "--limit", "1")
    assert found.stdout.startswith(f"{solved.name} ")
    assert " user         solved " in found.stdout


@pytest.mark.parametrize(
    ("word", "count"),
    [("done", 3), ("solved", 1), ("unsolved", 1), ("unchecked", 1), ("empty", 0), ("open", 0)],
)
def test_status_is_still_accepted_in_silence(shell: Shell, word: str, count: int) -> None:
    for status in ("solved", "unsolved", "answered"):
        attempt(shell, status)
    done = shell.sii("list", "--json", "--status", word)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == count
    assert "--status" not in shell.sii("list", "--help").stdout


def test_a_list_has_the_score_and_what_the_check_said(shell: Shell) -> None:
    requirements = [{"name": "cents", "met": False, "why": "999"}, {"name": "sum", "met": True}]
    check = failed_check(score=0.5, requirements=requirements)
    scored = attempt(shell, "unsolved", check=check, score=0.5, reason="the check failed")
    attempt(shell, "solved", score=1.0)
    assert "  unsolved 0.50  " in shell.sii("list").stdout
    (one,) = listed(shell, "--max-score", "0.9")
    assert (one["id"], one["score"], one["reason"]) == (scored.name, 0.5, "the check failed")
    assert one["check"] == {
        "command": "pytest -q",
        "exit_code": 1,
        "passed": False,
        "error": None,
        "score": 0.5,
        "last_lines": [line for line in PYTEST.splitlines() if line],
        "requirements": [["cents", False, "999"], ["sum", True, ""]],
    }
    assert one["rubric"] == "Are the cents right?"


def test_the_state_is_a_column_where_one_differs(shell: Shell) -> None:
    attempt(shell, "solved")
    assert "ended" not in shell.sii("list").stdout
    attempt(shell, "solved", ends=None)
    crashed, ended = shell.sii("list").stdout.splitlines()
    assert "  crashed  " in crashed
    assert crashed.index("0 steps") == ended.index("0 steps")


def test_an_outcome_is_the_sessions_own_not_its_parents(shell: Shell) -> None:
    folder = attempt(shell, "solved")
    assert shell.sii("fork", folder.name, "--at", "3").returncode == 0
    with RecordingIndex(shell.store) as index:
        index.refresh()
        found = {one.summary.id: one.summary for one in find(index)}
    forked = next(one for name, one in found.items() if name != folder.name)
    assert (forked.session_outcome, forked.state) == (None, "forked")
    assert summarise(forked.folder).session_outcome is None


def test_a_session_without_a_score_has_the_lines_of_before() -> None:
    assert encode(QueryOutcome(status="solved")) == (
        b'{"status":"solved","reason":"","feedback_rounds":0}'
    )
    assert encode(failed_check(output="")) == (
        b'{"round":1,"command":"pytest -q","exit_code":1,"passed":false,"output":"","seconds":0.5}'
    )


def checked(shell: Shell) -> Path:
    requirements = [{"name": "cents", "met": False, "why": "999"}, {"name": "sum", "met": True}]
    check = failed_check(score=0.5, requirements=requirements)
    return attempt(shell, "unsolved", check=check, score=0.5, reason="the check failed")


VERDICT = "check failed (exit code 1, score 0.50): pytest -q"
FAILED = "FAILED test_money.py::test_split - assert 999 == 1000"


@pytest.mark.parametrize("command", ["show", "replay"])
def test_the_check_and_the_outcome_are_at_the_end(shell: Shell, command: str) -> None:
    folder = checked(shell)
    told = shell.sii(command, folder.name).stdout
    check, outcome = told.index(VERDICT), told.index("outcome: unsolved (score 0.50): the check")
    assert told.index("Fix the ledger.") < check < outcome
    assert all(line in told for line in ("✗ cents: 999", "✓ sum", FAILED))
    if command == "show":
        assert "rubric: Are the cents right?" in told


def test_a_reviewer_reads_outcome_check_rubric_and_what_others_said_first(shell: Shell) -> None:
    folder = checked(shell)
    steps = [StepReview(seq=1, exclude=True)]
    add_review(folder, "ada", verdict="reject", note="no", steps=steps, key=shell.key)
    done = shell.sii("review", folder.name, "--speaker", "bo", stdin="q\n")
    header = done.stderr.splitlines()
    for line in (
        "outcome: unsolved (score 0.50): the check failed",
        VERDICT,
        f"| {FAILED}",
        "rubric: Are the cents right?",
        "reviews: rejected (ada reject)",
        "excluded from training: 1 event (1)",
    ):
        assert line in header, done.stderr


def test_the_page_has_them_above_and_at_the_end(shell: Shell, tmp_path: Path) -> None:
    folder, page = checked(shell), tmp_path / "page.html"
    assert shell.sii("replay", folder.name, "--html", str(page)).returncode == 0
    text = page.read_text().split('id="data">')[1].split("</script>")[0]
    data = json.loads(text)
    assert data["about"]["line"].endswith(" · unsolved (score 0.50): the check failed")
    assert VERDICT in data["about"]["ended"]
    assert "rubric: Are the cents right?" in data["about"]["ended"]
    notes = [item for item in data["items"] if item[1] == "note"]
    (check,) = (item for item in notes if item[3].startswith(VERDICT))
    assert check[4] == {"about": "", "error": True}
    assert FAILED in check[3]
    assert any(item[3] == "Outcome: unsolved (score 0.50): the check failed" for item in notes)


def test_words_of_a_check_cannot_move_the_cursor(shell: Shell) -> None:
    evil = "\x1b[2J\x1b]0;title\x07 \u202egone"
    requirements = [{"name": evil, "met": True, "why": evil}]
    check = failed_check(command=evil, output=evil, requirements=requirements, error=evil)
    folder = attempt(shell, "check_error", check=check, reason=evil)
    shown = [shell.sii(name, folder.name).stdout for name in ("show", "replay")]
    reviewed = shell.sii("review", folder.name, "--speaker", "bo", stdin="q\n").stderr
    for text in (*shown, reviewed, shell.sii("list").stdout):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}


def test_stats_count_outcomes_scores_and_commands_that_ended_with_another_code(
    shell: Shell,
) -> None:
    attempt(shell, "solved", score=1.0)
    attempt(shell, "unsolved", score=0.5)
    attempt(shell, None, ends=None)
    _, folder = shell.store.create_folder()
    recorder = Recorder.create(folder, folder.name, key=shell.key)
    recorder.record(session_start(), "harness")
    for number, (name, code, error) in enumerate(
        [("bash", 1, None), ("bash", 0, None), ("python", 1, None), ("bash", None, "timeout")]
    ):
        facts: dict[str, Any] = {"step": 1, "call_id": str(number), "seconds": 0.1, "text": ""}
        recorder.record(Observation(name=name, exit_code=code, error=error, **facts), "tool")
    recorder.close()
    stats = json.loads(shell.sii("stats", "--json").stdout)
    assert stats["calls"] == {
        "bash": {"calls": 3, "failed": 2},
        "python": {"calls": 1, "failed": 1},
    }
    assert stats["errors"] == {"exit_code": 2, "timeout": 1}
    assert stats["outcome"] == {"none": 2, "solved": 1, "unsolved": 1}
    assert stats["state"] == {"crashed": 2, "ended": 2}
    assert (stats["score"]["min"], stats["score"]["max"]) == (0.5, 1.0)
    told = shell.sii("stats").stdout
    assert "outcome    none 2, " in told
    assert "score      min 0.50, " in told


def test_provenance_and_card_have_outcome_score_check_and_exclusions(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    session = two_rounds(folder, mode="batch", batch="monday", query="q", rubric="Cents?")
    del session
    recorder = Recorder.resume(folder, key=shell.key)
    recorder.record(failed_check(score=0.75), "harness")
    recorder.record(QueryOutcome(status="unsolved", score=0.75, reason="no"), "harness")
    recorder.close()
    steps = [StepReview(seq=4, exclude=True)]
    add_review(folder, "ada", verdict="approve", steps=steps, key=shell.key)
    done = shell.sii("export", "out", "--format", "tokens")
    assert done.returncode == 0, done.stderr
    first = json.loads((shell.workspace / "out/provenance.jsonl").read_text().splitlines()[0])
    assert (first["outcome"], first["score"], first["excluded_events"]) == ("unsolved", 0.75, 1)
    assert first["check"] == {"command": "pytest -q", "exit_code": 1}
    assert first["rubric"] == "Cents?"
    card = (shell.workspace / "out/README.md").read_text()
    assert "| outcomes | unsolved 1 |" in card
    assert "| score, min / mean / max (1 with a score) | 0.75 / 0.75 / 0.75 |" in card
    assert "| events that reviewers excluded | 1 |" in card
