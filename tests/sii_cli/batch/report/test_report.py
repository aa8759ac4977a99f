"""The report tells the causes of failures apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recordings.store.checks import LastCheck, last_lines
from recordings.store.summary import RecordingSummary
from sii_cli.batch.report.report import causes


def unsolved(name: str, reason: str) -> RecordingSummary:
    return RecordingSummary(name, Path(name), "done", outcome="unsolved", reason=reason)


def test_exit_codes_are_causes_of_their_own_and_other_numbers_are_not() -> None:
    failed = [
        unsolved("a", "the check failed (exit code 1)"),
        unsolved("b", "the check failed (exit code 137)"),
        unsolved("c", "the check failed (exit code 137)"),
        unsolved("d", "no answer after 121.5 s"),
        unsolved("e", "no answer after 88.0 s"),
    ]
    assert {(cause.reason, cause.sessions) for cause in causes(failed)} == {
        ("the check failed (exit code 1)", 1),
        ("the check failed (exit code 137)", 2),
        ("no answer after 121.5 s", 2),
    }


def test_failures_are_grouped_by_what_their_checks_said_last() -> None:
    def said(name: str, output: str, status: str = "unsolved") -> RecordingSummary:
        check = LastCheck("pytest", 1, False, last_lines(output))
        reason = "the check failed (exit code 1)"
        return replace(unsolved(name, reason), outcome=status, check=check)

    failed = [
        said("a", "FAILED test_split\n1 failed in 0.12s\n"),
        said("b", "FAILED test_split\n1 failed in 0.34s\n"),
        said("c", "FAILED test_sum\n1 failed in 0.12s\n"),
        said("d", "FAILED test_split\n1 failed in 0.12s\n", "loop"),
    ]
    found = {(cause.status, *cause.said): cause.sessions for cause in causes(failed)}
    assert found == {
        ("unsolved", "FAILED test_split", "1 failed in 0.12s"): 2,
        ("unsolved", "FAILED test_sum", "1 failed in 0.12s"): 1,
        ("loop",): 1,  # no check decided it
    }
